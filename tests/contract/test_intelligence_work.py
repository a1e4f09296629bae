from __future__ import annotations

import pytest
from sqlalchemy import Engine

from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.intelligence_work import IntelligenceWorkContract, Work
from tests.contract.test_trading_work import OnPostgres, OnSqlite


class SqlIntelligenceWork(IntelligenceWorkContract):
    @pytest.fixture
    def work(self, engine: Engine) -> Work:
        return lambda: SqlUnitOfWork(engine)


class TestSqlite(OnSqlite, SqlIntelligenceWork):
    pass


class TestPostgres(OnPostgres, SqlIntelligenceWork):
    pass
