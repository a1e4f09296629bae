"""Users by name, the owner, and where the API may listen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import aitrader
from aitrader import bootstrap, server
from aitrader.access import exposure, require_safe_bind
from aitrader.bootstrap import Application, build, require_schema
from aitrader.container import Container
from aitrader.settings import load_settings
from aitrader.shutdown import Shutdown
from aitrader.testing.clock import FakeClock
from aitrader.testing.waiting import together
from aitrader.user_ids import UserIds, owner_of
from domain.common.errors import Conflict, Invalid
from domain.identity.model import Role

Make = Callable[..., Container]


@pytest.fixture
def make(clean: Path) -> Make:
    def make(**settings: Any) -> Container:
        container = build(load_settings(data_dir=clean / "data", **settings))
        require_schema(container)
        return container

    return make


def owner(container: Container) -> Any:
    return owner_of(container.find_user(), container.ensure_owner())


def set_password(container: Container) -> None:
    container.change_user().set_password(owner(container).id, "a long password", actor="test")


def test_the_owner_is_made_once_whoever_asks(make: Make) -> None:
    container = make()
    assert len({user.id for user in together([lambda: owner(container)] * 4)}) == 1
    (made,) = container.find_user().all()
    assert (made.username, made.role, made.password_hash) == ("owner", Role.ADMIN, None)


def test_who_comes_second_finds_the_first_ones_owner(make: Make) -> None:
    container = make()
    found = [owner(container)]

    class Late:
        calls = 0

        def __call__(self, name: str) -> Any:
            self.calls += 1
            if self.calls == 1:
                return container.find_user()("nobody")
            return found[0]

    class Refused:
        def __call__(self) -> Any:
            raise Conflict("taken", code="user_exists")

    assert owner_of(Late(), Refused()) is found[0]  # type: ignore[arg-type]


def test_users_are_named_by_name_or_id(make: Make) -> None:
    container = make()
    ann = container.create_user()("ann", Role.TRADER, password=None, actor="test")
    ids = container.user_ids()
    assert ids("ann") == ids(ann.id) == ann.id
    assert ids("owner") == owner(container).id


def test_an_unknown_user_is_told_how_to_be_made(make: Make) -> None:
    with pytest.raises(Invalid) as caught:
        make().user_ids()("bob")
    assert caught.value.code == "unknown_user"
    assert "aitrader user create bob" in caught.value.detail


def test_a_disabled_user_gets_no_jobs_within_seconds(make: Make) -> None:
    container, clock = make(), FakeClock()
    owner(container)
    ids = UserIds(container.find_user, container.ensure_owner, clock)
    ann = container.create_user()("ann", Role.TRADER, password=None, actor="test")
    assert ids("ann") == ann.id
    container.change_user().set_disabled(ann.id, True, actor="test")
    assert ids("ann") == ann.id
    clock.advance(4.1)
    with pytest.raises(Invalid) as caught:
        ids("ann")
    assert caught.value.code == "user_disabled"


def test_a_program_submits_for_a_user(make: Make, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRADER_DATA_DIR", str(clean / "data"))
    container = make()
    monkeypatch.setattr(bootstrap, "client_application", lambda: container)
    payload = {"symbols": ["INDEX:SPX"], "strategy": "sma_cross"}
    job_id = aitrader.enqueue_job("backtest", "owner", payload)
    assert container.get_job()(job_id, None).user_id == owner(container).id
    with pytest.raises(Invalid, match="aitrader user create bob"):
        aitrader.enqueue_job("backtest", "bob", payload)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_alone_is_safe(make: Make, host: str) -> None:
    assert exposure(make(host=host)) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "trader.example.org"])
def test_more_than_this_machine_needs_encryption_and_a_password(make: Make, host: str) -> None:
    bare = make(host=host)
    set_password(bare)
    assert "AITRADER_TLS_CERT" in str(exposure(bare))
    assert exposure(make(host=host, trusted_proxies=("10.0.0.1",))) is None


def test_a_password_of_any_active_administrator_counts(make: Make, clean: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (clean / name).touch()
    container = make(host="0.0.0.0", tls_cert=clean / "cert.pem", tls_key=clean / "key.pem")
    owner(container)
    create = container.create_user()
    create("tom", Role.TRADER, password="a long password", actor="test")
    assert "aitrader user password owner" in str(exposure(container))
    eve = create("eve", Role.ADMIN, password="a long password", actor="test")
    assert exposure(container) is None
    container.change_user().set_disabled(eve.id, True, actor="test")
    with pytest.raises(Conflict) as caught:
        require_safe_bind(container)
    assert caught.value.code == "unsafe_bind"


def test_an_unsafe_start_opens_no_port(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a port was opened")

    monkeypatch.setattr(server, "open_listener", refuse)
    application = Application(load_settings(data_dir=clean / "data", host="0.0.0.0"), role="serve", works=False)
    with pytest.raises(Conflict) as caught:
        server.run_server(application, Shutdown(), lambda url: None)
    assert caught.value.code == "unsafe_bind"


def test_unusable_tls_files_open_no_port(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a port was opened")

    monkeypatch.setattr(server, "open_listener", refuse)
    (clean / "x.pem").write_text("nonsense")
    settings = load_settings(data_dir=clean / "data", tls_cert=clean / "x.pem", tls_key=clean / "x.pem")
    with pytest.raises(Invalid, match="cannot use the TLS files"):
        server.run_server(Application(settings, role="serve", works=False), Shutdown(), lambda url: None)


def test_up_prints_a_login_link_on_this_machine_only(clean: Path) -> None:
    from aitrader.cli.up import login_line

    here = Application(load_settings(data_dir=clean / "data"), role="up", works=True)
    require_schema(here.container)
    line = login_line(here, "http://127.0.0.1:8000")
    secret = line.split("link=")[1].split()[0]
    assert line.startswith("  Login   http://127.0.0.1:8000/auth/login?link=")
    opened = here.container.login_by_link().use(secret, "127.0.0.1")
    assert opened.principal.username == "owner"
    elsewhere = Application(load_settings(data_dir=clean / "data", host="0.0.0.0"), role="up", works=True)
    assert "link=" not in login_line(elsewhere, "https://trader.example.org")
