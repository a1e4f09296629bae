from __future__ import annotations

import pytest
from sqlalchemy import Engine

from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.decision_work import DecisionWorkContract, Work
from tests.contract.test_trading_work import OnPostgres, OnSqlite


class SqlDecisionWork(DecisionWorkContract):
    @pytest.fixture
    def work(self, engine: Engine) -> Work:
        return lambda: SqlUnitOfWork(engine)


class TestSqlite(OnSqlite, SqlDecisionWork):
    pass


class TestPostgres(OnPostgres, SqlDecisionWork):
    pass
