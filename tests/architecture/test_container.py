"""Everything that the container lists can be made, and making it connects to nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers

from aitrader.bootstrap import build
from aitrader.container import Container
from aitrader.settings import load_settings

NOWHERE = {"database_url": "postgresql://me:pw@127.0.0.1:1/x", "redis_url": "redis://127.0.0.1:1/0"}


@pytest.mark.parametrize("works", [True, False], ids=["works", "submits"])
@pytest.mark.parametrize("outside", [{}, NOWHERE], ids=["in_process", "redis"])
def test_every_provider_resolves_without_a_connection(
    outside: dict[str, str], works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a provider connected")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    container = build(load_settings(data_dir=tmp_path / "data", **outside), works=works)
    assert container.transport() == ("redis" if outside else "in_process" if works else "bell")
    for part in (container, container.intelligence, container.running):
        for name, provider in part.providers.items():
            if outside or name != "redis":
                assert provider() is not None, name
    container.engine().dispose()


def test_nothing_is_left_to_be_given_but_settings_owner_role_and_replay() -> None:
    open_ends = [name for name, provider in Container.providers.items() if isinstance(provider, providers.Dependency)]
    assert sorted(open_ends) == ["owner", "run_replay", "settings", "works"]
