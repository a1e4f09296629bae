from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.journal import SqlJournal
from adapters.db.unit_of_work import SqlUnitOfWork
from adapters.db.vault import SqlVault
from adapters.security.vault_cipher import VaultCipher
from aitrader.testing.broker_context import MemoryJournal, MemoryVault
from aitrader.testing.broker_storage import JournalContract, VaultContract
from aitrader.testing.trading_samples import account
from aitrader.testing.trading_work import TradingWorkContract, Work
from domain.trading.ports import Journal, Vault
from tests.servers import PostgresServer

CIPHER = VaultCipher([b"k" * 32])


class OnSqlite:
    @pytest.fixture
    def engine(self, sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
        path = tmp_path / "trading.db"
        path.write_bytes(sqlite_template.read_bytes())
        engine = open_engine(parse_database_url(f"sqlite:///{path}"))
        yield engine
        engine.dispose()


class OnPostgres:
    @pytest.fixture
    def engine(self, postgres_template: str, postgres_server: PostgresServer) -> Iterator[Engine]:
        url = postgres_server.create_database(template=postgres_template)
        engine = open_engine(parse_database_url(url))
        yield engine
        engine.dispose()
        postgres_server.drop_database(url)


class SqlWork(TradingWorkContract):
    @pytest.fixture
    def work(self, engine: Engine) -> Work:
        return lambda: SqlUnitOfWork(engine)


class TestSqlite(OnSqlite, SqlWork):
    pass


class TestPostgres(OnPostgres, SqlWork):
    pass


class SqlStorage(JournalContract, VaultContract):
    @pytest.fixture
    def work(self, engine: Engine) -> Callable[[], SqlUnitOfWork]:
        with SqlUnitOfWork(engine) as unit:
            for name in ("a", "b"):
                unit.accounts.add(account(name))
            unit.commit()
        return lambda: SqlUnitOfWork(engine)

    @pytest.fixture
    def journals(self, work: Callable[[], SqlUnitOfWork]) -> Callable[[str], Journal]:
        return partial(SqlJournal, work)

    @pytest.fixture
    def vaults(self, work: Callable[[], SqlUnitOfWork]) -> Callable[[str], Vault]:
        return partial(SqlVault, work, cipher=CIPHER)

    def test_what_is_stored_is_not_the_secret(self, engine: Engine, vaults: Callable[[str], Vault]) -> None:
        vaults("a").save(b"s3cr3t-session")
        with engine.connect() as connection:
            stored = connection.execute(text("SELECT secret FROM vaults")).scalar_one()
        assert "s3cr3t" not in stored
        with engine.begin() as connection:
            connection.execute(text("UPDATE vaults SET account = 'b'"))
        assert vaults("b").load() is None


class TestSqliteStorage(OnSqlite, SqlStorage):
    pass


class TestPostgresStorage(OnPostgres, SqlStorage):
    pass


class TestMemoryStorage(JournalContract, VaultContract):
    @pytest.fixture
    def journals(self) -> Callable[[str], Journal]:
        made: dict[str, Journal] = {}
        return lambda name: made.setdefault(name, MemoryJournal())

    @pytest.fixture
    def vaults(self) -> Callable[[str], Vault]:
        made: dict[str, Vault] = {}
        return lambda name: made.setdefault(name, MemoryVault())
