"""The guard of URLs: what it lets through, and that nothing changes where a request goes after the check."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from adapters.security import urls
from adapters.security.urls import GuardedUrls, resolve
from domain.common.errors import Denied, Invalid, TooLarge, Unavailable

PUBLIC = "93.184.215.14"


class Names:
    """A name server whose answers the test sets; each call takes the next one, the last stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Site:
    """A local HTTP server that answers what the test sets."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, dict[str, str](), b"hello"
        self.requests: list[dict[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
                self.send_response(site.status)
                for name, value in {"Content-Length": str(len(site.body)), **site.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):  # the guard may have hung up, as it should
                    self.wfile.write(site.body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "gopher://example.org/x",
        "//example.org/x",
        "example.org",
        "http://",
        "http:///x",
        "",
        "javascript:alert(1)",
        "http://exa mple.org",
        "http://example.org:99999/",
        "http://example.org/\r\nX: y",
    ],
)
def test_only_http_urls_with_a_host(url: str) -> None:
    names = Names([PUBLIC])
    with pytest.raises(Invalid) as caught:
        GuardedUrls(resolve=names).check(url)
    assert (caught.value.code, names.asked) == ("bad_url", [])


@pytest.mark.parametrize("url", ["http://ann:pw@example.org/", "http://token@example.org/"])
def test_urls_of_users_hold_no_credentials(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        GuardedUrls(resolve=Names([PUBLIC])).check(url)
    assert caught.value.code == "url_with_credentials"
    assert GuardedUrls(resolve=Names([PUBLIC])).check(url, operator=True).host == "example.org"


NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "::169.254.169.254",
]
PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "fc00::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:0a00:0001::1",
]


@pytest.mark.parametrize("address", [*NEVER, *PRIVATE])
def test_users_reach_nothing_private(address: str) -> None:
    with pytest.raises(Denied) as caught:
        GuardedUrls(resolve=Names([address])).check("http://innocent.example/")
    assert caught.value.code == "url_denied"
    assert address not in caught.value.detail  # no map of the network for whoever asks


@pytest.mark.parametrize("address", NEVER)
def test_operators_do_not_reach_metadata_either_even_if_listed(address: str) -> None:
    guard = GuardedUrls([address.partition("%")[0], "innocent.example"], resolve=Names([address]))
    for operator in (True, False):
        with pytest.raises(Denied):
            guard.check("http://innocent.example/", operator=operator)


@pytest.mark.parametrize("address", PRIVATE)
def test_operators_reach_their_own_network(address: str) -> None:
    target = GuardedUrls(resolve=Names([address])).check("https://engine.internal/", operator=True)
    assert (target.addresses, target.port) == ((address,), 443)


@pytest.mark.parametrize("listed", ["engine.internal", "ENGINE.internal.", "10.0.0.5", "10.0.0.0/8"])
def test_users_reach_private_hosts_that_are_listed(listed: str) -> None:
    guard = GuardedUrls([listed], resolve=Names(["10.0.0.5"]))
    assert guard.check("http://engine.internal:8082/x").addresses == ("10.0.0.5",)


def test_a_listed_name_opens_no_other() -> None:
    with pytest.raises(Denied):
        GuardedUrls(["engine.internal"], resolve=Names(["10.0.0.5"])).check("http://other.internal/")


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::93.184.215.14"])
def test_public_addresses_are_fine(address: str) -> None:
    assert GuardedUrls(resolve=Names([address])).check("http://example.org/").addresses == (address,)


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(Denied):
        GuardedUrls(resolve=Names([PUBLIC, "127.0.0.1"])).check("http://example.org/")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]"]
)
def test_other_spellings_of_an_address_are_seen_through(host: str) -> None:
    with pytest.raises((Denied, Invalid)) as caught:
        GuardedUrls(resolve=resolve).check(f"http://{host}/")
    assert caught.value.code in ("url_denied", "bad_url")


def test_a_host_without_an_address() -> None:
    def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    for names in (nowhere, Names([])):
        with pytest.raises(Unavailable) as caught:
            GuardedUrls(resolve=names).check("http://nowhere.example/")
        assert caught.value.code == "url_unreachable"


def test_reads_what_is_answered(site: Site) -> None:
    site.headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    guard = GuardedUrls(["engine.internal"], resolve=Names(["127.0.0.1"]))
    answer = guard.get(f"http://engine.internal:{site.port}/a?b=c")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"hello", "text/plain")
    assert site.requests[0]["path"] == "/a?b=c"
    assert site.requests[0]["host"] == f"engine.internal:{site.port}"


def test_credentials_of_the_operator_are_sent_as_a_header(site: Site) -> None:
    GuardedUrls().status(f"http://ann:s%40crt@127.0.0.1:{site.port}/", operator=True)
    assert site.requests[0]["authorization"] == "Basic YW5uOnNAY3J0"
    assert "ann" not in site.requests[0]["host"]


def test_a_name_that_changes_its_answer_is_asked_once(site: Site) -> None:
    """DNS rebinding: the second answer, which would lead elsewhere, is never asked for."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    guard = GuardedUrls(["rebind.example"], resolve=names)
    assert guard.get(f"http://rebind.example:{site.port}/").status == 200
    assert names.asked == ["rebind.example"]
    with pytest.raises(Denied):
        guard.get(f"http://rebind.example:{site.port}/")


def test_connects_to_the_checked_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[str] = []

    def connect(self: Any, host: str, *_: Any, **__: Any) -> Any:
        connected.append(host)
        raise urls.httpcore2.ConnectError("refused")

    monkeypatch.setattr(urls.httpcore2.SyncBackend, "connect_tcp", connect)
    guard = GuardedUrls(resolve=Names(["93.184.215.14", "93.184.215.15"]))
    with pytest.raises(Unavailable, match="no answer: ConnectError"):
        guard.get("https://example.org/")
    assert connected == ["93.184.215.14", "93.184.215.15"]


def test_redirects_are_not_followed(site: Site) -> None:
    site.status, site.headers = 302, {"Location": "http://169.254.169.254/latest/meta-data/"}
    answer = GuardedUrls().get(f"http://127.0.0.1:{site.port}/", operator=True)
    assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/latest/meta-data/")
    assert len(site.requests) == 1


def test_proxies_of_the_environment_are_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert GuardedUrls().status(f"http://127.0.0.1:{site.port}/", operator=True) == 200


def test_an_answer_is_read_up_to_a_limit(site: Site) -> None:
    site.body = b"x" * 5000
    guard = GuardedUrls(most_bytes=4999)
    with pytest.raises(TooLarge) as caught:
        guard.get(f"http://127.0.0.1:{site.port}/", operator=True)
    assert caught.value.code == "answer_too_large"
    assert guard.status(f"http://127.0.0.1:{site.port}/", operator=True) == 200
    assert len(GuardedUrls(most_bytes=5000).get(f"http://127.0.0.1:{site.port}/", operator=True).body) == 5000


def test_the_time_ends_for_all_reads_together(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """A server that sends a byte now and then passes every timeout of a single read."""
    times = iter([0.0, 0.1, 0.2, 0.3])
    monkeypatch.setattr(urls.time, "monotonic", lambda: next(times, 99.0))
    with pytest.raises(Unavailable, match="Timeout"):
        GuardedUrls(timeout_s=5).get(f"http://127.0.0.1:{site.port}/", operator=True)


def test_nobody_listens(site: Site) -> None:
    site.server.server_close()
    with pytest.raises(Unavailable, match="no answer"):
        GuardedUrls().get(f"http://127.0.0.1:{site.port}/", operator=True, timeout_s=1)


def test_what_answers_is_not_http(monkeypatch: pytest.MonkeyPatch) -> None:
    class Babble(urls.httpcore2.MockStream):
        pass

    def connect(self: Any, *_: Any, **__: Any) -> Any:
        return Babble([b"SSH-2.0-OpenSSH\r\n\r\n"])

    monkeypatch.setattr(urls.httpcore2.SyncBackend, "connect_tcp", connect)
    with pytest.raises(Unavailable, match="ProtocolError"):
        GuardedUrls(resolve=Names([PUBLIC])).get("http://example.org/")
