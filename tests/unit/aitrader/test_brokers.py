from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aitrader.brokers import RegisteredBrokers
from aitrader.plugin_host import Candidate, PluginHost
from aitrader.testing.broker_context import FakeContext
from domain.common.errors import Invalid, NotFound
from domain.trading.brokerage import BrokerSession, SessionState
from domain.trading.model import Account, Mode
from domain.trading.records import BrokerState
from plugins.paper import plugin
from plugins.paper.broker import PaperBroker

ACCOUNT = Account("a", "u", "paper", Mode.PAPER, "INR", 0, {"leverage": "5"}, starting_cash=Decimal(1000))


@pytest.fixture
def brokers() -> RegisteredBrokers:
    context = FakeContext()
    host = PluginHost([Candidate("paper", "aitrader", "1.0", lambda: plugin)])
    return RegisteredBrokers(
        host,
        clock=context.clock,
        quotes=context.quotes,
        bars=context.bars,
        journal=lambda account: context.journal,
        vault=lambda account: context.vault,
        mcp_url=None,
    )


def test_a_broker_is_described_with_its_options(brokers: RegisteredBrokers) -> None:
    found = brokers.describe("paper")
    assert brokers.names() == ["paper"]
    assert found["modes"] == ["paper"]
    assert "leverage" in found["options_schema"]["properties"]
    with pytest.raises(NotFound, match="known: paper"):
        brokers.describe("kite")


def test_options_are_kept_as_they_were_given(brokers: RegisteredBrokers) -> None:
    assert brokers.validate("paper", {"leverage": 5, "fees": {"model": "none"}}) == {
        "leverage": "5",
        "fees": {"model": "none"},
    }


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"leverage": 0.5}, "options.leverage"),
        ({"leverage": "0.5"}, "options.leverage"),
        ({"unheard_of": 1}, "options.unheard_of"),
        ({"fees": {"model": "free"}}, "options.fees"),
        ({"day_ends": "24:00"}, "options.day_ends"),
    ],
)
def test_options_that_cannot_be_are_refused(brokers: RegisteredBrokers, options: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        brokers.validate("paper", options)
    assert caught.value.errors[0].field == field


def test_an_account_is_opened_with_its_options(brokers: RegisteredBrokers) -> None:
    broker = brokers.open(ACCOUNT)
    assert isinstance(broker, PaperBroker)
    assert broker.balance().cash == 1000
    with pytest.raises(NotFound):
        brokers.open(replace(ACCOUNT, broker="kite"))


def test_an_arming_is_bound_to_the_configuration(brokers: RegisteredBrokers) -> None:
    able = PaperBroker(ACCOUNT, plugin.PaperOptions(), FakeContext()).capabilities()
    state = BrokerState("a", BrokerSession(SessionState.CONNECTED), able)
    known = brokers.fingerprint(ACCOUNT, state)
    assert known == brokers.fingerprint(ACCOUNT, state)
    changed = replace(state, capabilities=replace(able, schema_hash="new"))
    others = [
        brokers.fingerprint(replace(ACCOUNT, options={}), state),
        brokers.fingerprint(ACCOUNT, changed),
        brokers.fingerprint(replace(ACCOUNT, id="b"), state),
    ]
    assert len({known, *others}) == 4
