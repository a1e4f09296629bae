from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from adapters.notify.apprise import AppriseNotifier
from adapters.notify.log import LogNotifier
from aitrader.testing.notifier import NotifierContract
from domain.common.errors import Invalid, Unavailable
from domain.common.notify import Notifier
from tests.servers import PortLease


class Webhook:
    """A local HTTP server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[dict[str, str]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if webhook.status == 200:
                    webhook.received.append(json.loads(body))
                self.send_response(webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self._server.server_port}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    webhook = Webhook()
    yield webhook
    webhook.close()


class TestLogNotifier(NotifierContract):
    @pytest.fixture
    def notifier(self) -> Notifier:
        return LogNotifier()

    @pytest.fixture
    def delivered(self, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
        caplog.set_level(logging.WARNING)

        def texts() -> list[str]:
            return [f"{record.subject}\n{record.body}" for record in caplog.records if hasattr(record, "body")]

        return texts


class TestAppriseNotifier(NotifierContract):
    @pytest.fixture
    def notifier(self, webhook: Webhook) -> Notifier:
        return AppriseNotifier([webhook.url])

    @pytest.fixture
    def delivered(self, webhook: Webhook) -> Callable[[], list[str]]:
        return lambda: [f"{message['title']}\n{message['message']}" for message in webhook.received]

    def test_delivers_to_every_target(self, webhook: Webhook) -> None:
        AppriseNotifier([webhook.url, webhook.url + "/second"]).send("subject", "body")
        assert len(webhook.received) == 2

    def test_says_so_when_the_target_fails(self, notifier: Notifier, webhook: Webhook) -> None:
        webhook.status = 500
        with pytest.raises(Unavailable) as caught:
            notifier.send("subject", "body")
        assert caught.value.code == "notifier_unavailable"

    def test_one_target_that_fails_is_enough_to_say_so(self, webhook: Webhook) -> None:
        lease = PortLease()
        notifier = AppriseNotifier([f"json://127.0.0.1:{lease.port}/", webhook.url])
        with pytest.raises(Unavailable):
            notifier.send("subject", "body")
        assert len(webhook.received) == 1
        lease.release()

    def test_says_so_when_the_target_is_down(self) -> None:
        lease = PortLease()
        with pytest.raises(Unavailable):
            AppriseNotifier([f"json://127.0.0.1:{lease.port}/"]).send("subject", "body")
        lease.release()

    def test_the_log_never_holds_the_url(self, webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        notifier = AppriseNotifier([webhook.url.replace("json://", "json://user:s3cr3t@") + "/s3cr3t"])
        notifier.send("subject", "body")
        webhook.status = 500
        with pytest.raises(Unavailable):
            notifier.send("subject", "body")
        webhook.close()
        assert "s3cr3t" not in caplog.text

    @pytest.mark.parametrize(
        "url",
        [
            "nonsense://s3cr3t-token/and-more",
            "s3cr3t-token",
            "s3cr3t-token:more",
            "tgram:s3cr3t-token",
            "s3cr3t-token://x",
            "//s3cr3t-token",
            "tgram://s3cr3t-token",
            "",
        ],
    )
    def test_an_unknown_url_is_refused_without_telling_its_secret(
        self, url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with pytest.raises(Invalid) as caught:
            AppriseNotifier([url])
        assert "AITRADER_NOTIFY_URLS" in caught.value.detail
        assert "s3cr3t" not in caught.value.detail
        assert "s3cr3t" not in caplog.text
