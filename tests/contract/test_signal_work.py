from __future__ import annotations

import pytest
from sqlalchemy import Engine

from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.testing.signal_work import SignalWorkContract, Work
from tests.contract.test_trading_work import OnPostgres, OnSqlite


class SqlSignalWork(SignalWorkContract):
    @pytest.fixture
    def work(self, engine: Engine) -> Work:
        return lambda: SqlUnitOfWork(engine)


class TestSqlite(OnSqlite, SqlSignalWork):
    pass


class TestPostgres(OnPostgres, SqlSignalWork):
    pass
