"""What every `StrategyEngine` does. Subclass `StrategyEngineContract` and override its fixture."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aitrader.testing.signal_work import NOW, signal
from domain.common.ids import new_id
from domain.decisions.model import Action
from domain.decisions.params import StrategyParams
from domain.decisions.ports import (
    PATTERN,
    SENTIMENT,
    STRATEGY,
    DecideRequest,
    Evidence,
    MarketNow,
    Opinion,
    Reward,
    Standing,
    StrategyEngine,
)
from domain.market.model import Timeframe


def evidence(score: float, kind: str = PATTERN, **changes: Any) -> Evidence:
    """Return evidence of a kind."""
    return replace(Evidence(kind, score, f"{kind}-engine", "ema_cross", NOW), **changes)


def request(*items: Evidence, **changes: Any) -> DecideRequest:
    """Return a question about NSE:INFY at 1500, with 100,000 to trade with."""
    asked = DecideRequest(
        decision_id=new_id(),
        strategy="evidence",
        signal=signal(),
        evidence=items,
        params=StrategyParams(),
        market=MarketNow(1500.0, NOW, Timeframe.D1, average_range=25.0, volatility=0.25, daily_volatility=0.0158),
        standing=Standing(equity=Decimal(100_000), exposure=Decimal(0), currency="INR"),
        as_of=NOW,
        expires_at=NOW + 60_000,
    )
    return replace(asked, **changes)


class StrategyEngineContract:
    """Tests for any `StrategyEngine`, whatever it makes of the evidence."""

    @pytest.fixture
    def engine(self) -> StrategyEngine:
        """Return the engine."""
        raise NotImplementedError("override the engine fixture")

    def test_it_has_a_name(self, engine: StrategyEngine) -> None:
        assert engine.name

    @pytest.mark.parametrize("score", [-1.0, -0.2, 0.0, 0.123, 1.0])
    def test_an_opinion_is_within_its_bounds(self, engine: StrategyEngine, score: float) -> None:
        opinion = engine.decide(request(evidence(score), evidence(-score, SENTIMENT), evidence(score, STRATEGY)))
        assert isinstance(opinion, Opinion)
        assert opinion.action in Action
        assert 0 <= opinion.confidence <= 1
        assert opinion.quantity is None or opinion.quantity >= 0

    def test_asking_again_has_the_same_answer(self, engine: StrategyEngine) -> None:
        asked = request(evidence(0.7))
        assert engine.decide(asked) == engine.decide(asked)

    def test_without_evidence_nothing_is_done(self, engine: StrategyEngine) -> None:
        assert engine.decide(request()).action is Action.HOLD

    def test_a_reward_is_taken(self, engine: StrategyEngine) -> None:
        engine.reward(Reward("NSE:INFY", "evidence", -0.0125, new_id()))
