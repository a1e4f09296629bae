"""The HTTP adapter over an SQLite file, with fakes for what is not under test."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from quart import Quart
from quart.testing.client import QuartClient
from sqlalchemy import Engine

from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from adapters.http.app import create_app
from adapters.http.services import (
    DecisionServices,
    HttpOptions,
    HttpServices,
    IdentityServices,
    IntelligenceServices,
    SignalServices,
    TradingServices,
)
from adapters.marketdata.parquet_store import ParquetBarStore
from aitrader.quotes import QuoteBoard
from aitrader.redaction import secret_path
from domain.common.errors import FieldError, Invalid, NotFound
from domain.common.events import PublishedEvent
from domain.common.health import ComponentHealth
from domain.common.time import SystemClock
from domain.decisions.deciding import ActOnSignal
from domain.decisions.evidence import EVIDENCE, EvidenceEngine
from domain.decisions.market import StoredMarket
from domain.decisions.scoring import ReadScores
from domain.decisions.strategies import ChangeStrategy, CreateStrategy, ReadDecisions
from domain.identity.authentication import Authenticate, LogIn, LoginByLink, LogOut, Reauthenticate
from domain.identity.model import ROLE_SCOPES, Role, Scope, User
from domain.identity.tokens import IssueToken, ListTokens, RevokeToken, RotateToken
from domain.identity.users import ChangeUser, CreateUser, FindUser
from domain.intelligence.managing import ActivateModel, ReadModels, ReadSuggestions
from domain.intelligence.reading_sentiment import ReadSentiment
from domain.intelligence.scorecards import ReadScorecard
from domain.intelligence.storing_news import ImportNews, ReadNews
from domain.jobs.model import Isolation, Job, JobTypeInfo, NewJob
from domain.jobs.services import (
    CancelJob,
    GetJob,
    ListJobs,
    PrepareJob,
    RetryJob,
    SubmitJob,
    SubmitJobs,
)
from domain.signals.taking import ReadSignals, TakeSignal
from domain.trading.accounts import ChangeAccount, CreateAccount, FindAccount, GetLimits, SetLimits
from domain.trading.changing import CancelOrder, ChangeOrder, DecideApproval, ResolveOrder
from domain.trading.controls import Arm, Disarm, EngageKill, ListSwitches, ReleaseKill
from domain.trading.gate import RiskGate
from domain.trading.model import Mode
from domain.trading.placing import PlaceOrder
from domain.trading.queries import AskDesk, ReadTrading
from domain.trading.reconciling import AcceptPositions

ROOT = Path(__file__).parents[3]
LOCAL = "019a0000-0000-7000-8000-000000000001"
PASSWORD = "correct horse battery"
ME: dict[str, Any] = {"client": ("127.0.0.1", 50000)}
STRANGER: dict[str, Any] = {"client": ("203.0.113.7", 50000)}


class FakeClock(SystemClock):
    """The time of this machine, moved on at will."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms

    def advance(self, *, minutes: float = 0, seconds: float = 0) -> None:
        self.ahead_ms += round((minutes * 60 + seconds) * 1000)


class FastHasher:
    """Counts, and hashes without taking its time."""

    def __init__(self) -> None:
        self.checked = 0

    def hash(self, password: str) -> str:
        return hashlib.sha256(password.encode()).hexdigest()

    def verify(self, password: str, hashed: str | None) -> bool:
        self.checked += 1
        return hashed is not None and self.hash(password) == hashed


class TokenClient(QuartClient):
    """Sends the world's token unless a test sends something else; ``Authorization: ""`` sends nothing."""

    async def open(self, path: str, *args: Any, headers: Any = None, **options: Any) -> Any:
        headers = dict(headers or {})
        if headers.get("Authorization") is None:
            headers["Authorization"] = f"Bearer {self.app.config['TEST_TOKEN']}"
        elif not headers["Authorization"]:
            del headers["Authorization"]
        return await super().open(path, *args, headers=headers, **options)


class EchoPayload(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    times: int = 1


class FreePayload(BaseModel):
    model_config = ConfigDict(extra="allow")


class FakeJobTypes:
    """``echo`` is strict, ``free`` takes any object."""

    def __init__(self) -> None:
        self._adapters: dict[str, TypeAdapter[Any]] = {
            "echo": TypeAdapter(EchoPayload),
            "free": TypeAdapter(FreePayload),
        }

    def names(self) -> Sequence[str]:
        return sorted(self._adapters)

    @cache
    def info(self, name: str) -> JobTypeInfo:
        return JobTypeInfo(
            name=name,
            title=name.title(),
            description=f"The {name} job.",
            isolation=Isolation.THREAD,
            max_attempts=3,
            deadline_s=60.0,
            payload_schema=self._adapters[name].json_schema(),
            result_schema={"type": "object"},
            example={"text": "hello"},
            plugin="tests",
        )

    def validate(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if name not in self._adapters:
            raise Invalid(
                f"there is no job type {name[:64]!r}",
                code="unknown_job_type",
                errors=[FieldError("job_type", "is unknown")],
            )
        try:
            found = self._adapters[name].validate_python(dict(payload))
        except ValidationError as error:
            errors = [
                FieldError(".".join(map(str, ("payload", *item["loc"]))), item["msg"]) for item in error.errors()
            ]
            raise Invalid("the payload is not valid", code="invalid_payload", errors=errors) from None
        dumped: dict[str, Any] = found.model_dump(mode="json")
        return dumped


class RecordingQueue:
    def __init__(self) -> None:
        self.hints: list[tuple[str, list[str]]] = []

    def hint(self, queue: str, job_ids: Sequence[str]) -> None:
        self.hints.append((queue, list(job_ids)))

    def pending(self, queue: str) -> int:
        return sum(len(ids) for name, ids in self.hints if name == queue)

    def close(self) -> None:
        pass


class FakeBus:
    """Delivers in a thread of its own, unless told to lose."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[PublishedEvent], None]] = []
        self.lose = False

    def publish(self, events: Sequence[PublishedEvent]) -> None:
        if self.lose:
            return
        thread = threading.Thread(target=self._deliver, args=(list(events),))
        thread.start()
        thread.join()

    def _deliver(self, events: list[PublishedEvent]) -> None:
        for event in events:
            for listener in list(self.listeners):
                listener(event)

    def listen(self, callback: Callable[[PublishedEvent], None]) -> Callable[[], None]:
        self.listeners.append(callback)
        return lambda: self.listeners.remove(callback)

    def ping(self) -> None:
        pass

    def close(self) -> None:
        self.listeners.clear()


@dataclass
class FakeHealth:
    statuses: dict[str, Any] = field(
        default_factory=lambda: {"db": "ok", "redis": "off", "workers": "ok", "feed": "off", "signals": "off"}
    )
    reasons: list[str] = field(default_factory=list)

    def check(self, name: str) -> ComponentHealth:
        if name not in self.statuses:
            raise NotFound("there is no such component")
        return ComponentHealth(name, self.statuses[name], "", 0.5, 1_700_000_000_000)

    def all(self) -> list[ComponentHealth]:
        return [self.check(name) for name in self.statuses]

    def services(self) -> list[ComponentHealth]:
        return [ComponentHealth("broker", "off", "not configured", None, 1_700_000_000_000)]

    def ready(self) -> tuple[bool, list[str]]:
        return not self.reasons, self.reasons


class FakeBrokers:
    """``paper`` is for paper, ``mcp`` for both; options may be anything."""

    def modes(self, broker: str) -> tuple[Mode, ...]:
        if broker not in ("paper", "mcp"):
            raise NotFound("there is no such broker", code="unknown_broker")
        return (Mode.PAPER,) if broker == "paper" else (Mode.LIVE, Mode.PAPER)

    def validate(self, broker: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return dict(options)


class RecordingBell:
    def __init__(self) -> None:
        self.rung: list[str] = []

    def __call__(self, account: str) -> None:
        self.rung.append(account)


class AlwaysOpen:
    def is_open(self, symbol: str, at_ms: int) -> bool | None:
        return True


class World:
    """Everything a test may look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine: Engine = open_engine(parse_database_url(f"sqlite:///{folder / 'test.db'}"))
        Migrations(self.engine, ROOT / "migrations").upgrade()
        self.queue = RecordingQueue()
        self.bus = FakeBus()
        self.health = FakeHealth()
        self.job_types = FakeJobTypes()
        self.clock = FakeClock()
        self.hasher = FastHasher()
        self.prepare = PrepareJob(self.job_types, SystemClock())
        self.services = self._services()
        self.identity = self.services.identity
        self.owner = self.add_user("local", Role.ADMIN, id=LOCAL)
        self.token = self.issue(self.owner)

    def work(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(self.engine)

    def read(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(self.engine, read_only=True)

    def app(self, *, services: Mapping[str, Any] | None = None, **options: Any) -> Quart:
        app = create_app(replace(self.services, **(services or {})), HttpOptions(**options))
        app.test_client_class = TokenClient
        app.config["TEST_TOKEN"] = self.token
        return app

    def add_user(
        self, name: str, role: Role = Role.TRADER, *, id: str | None = None, password: str | None = PASSWORD
    ) -> User:
        if id is None:
            return self.identity.create_user(name, role, password=password, actor="test")
        user = User(id, name, role, self.clock.now_ms(), password_hash=self.hasher.hash(password or ""))
        with self.work() as work:
            work.users.add(user)
            work.commit()
        return user

    def issue(self, user: User, *scopes: Scope, days: int = 30) -> str:
        wanted = frozenset(scopes) or ROLE_SCOPES[user.role]
        return cast("str", self.identity.issue_token(user, "test", wanted, days=days, actor="test").text)

    def submit(self, user_id: str = LOCAL, job_type: str = "echo", **fields: Any) -> Job:
        """Store a job the way another process would."""
        payload = {"text": "hello"} if job_type == "echo" else {}
        new = NewJob(user_id=user_id, job_type=job_type, payload=payload, **fields)
        return SubmitJob(self.prepare, SubmitJobs(self.work, self.queue))(new).job

    def publish(self) -> list[PublishedEvent]:
        """Number what is in the outbox and tell the bus, as the dispatcher does."""
        with self.work() as work:
            events = work.outbox.publish_pending(1000)
            work.commit()
        self.bus.publish(events)
        return events

    def count_jobs(self) -> int:
        with self.read() as work:
            return sum(work.jobs.counts().values())

    def close(self) -> None:
        self.engine.dispose()

    def _trading(self) -> TradingServices:
        self.bars = ParquetBarStore(self.folder / "bars", self.clock)
        self.quotes = QuoteBoard(self.work, self.read, self.bars, self.bus, self.clock)
        self.bell = RecordingBell()
        gate = RiskGate(self.clock, self.quotes, AlwaysOpen(), lambda account, state: "print")
        find = FindAccount(self.work, self.read, self.clock)
        self.place = place = PlaceOrder(self.work, find, gate, self.clock, self.bell)
        log_in = LogIn(self.work, self.hasher, self.clock)
        return TradingServices(
            place=place,
            cancel=CancelOrder(self.work, self.clock, self.bell),
            change=ChangeOrder(self.work, gate, self.clock, self.bell),
            decide=DecideApproval(self.work, self.clock, self.bell),
            resolve=ResolveOrder(self.work, self.clock),
            read=ReadTrading(self.read, self.clock, self.quotes, lambda account, state: "print"),
            ask=AskDesk(self.work, self.read, self.clock, self.bell, timeout_s=0.2),
            find_account=find,
            create_account=CreateAccount(self.work, FakeBrokers(), self.clock),
            change_account=ChangeAccount(self.work, self.clock),
            set_limits=SetLimits(self.work, self.clock),
            get_limits=GetLimits(self.read),
            accept_positions=AcceptPositions(self.work, self.clock),
            kill=EngageKill(self.work, self.clock, place, self.bell),
            release=ReleaseKill(self.work, self.clock, self.bell),
            switches=ListSwitches(self.read),
            arm=Arm(self.work, self.clock, lambda account, state: "print", self.bell),
            disarm=Disarm(self.work, self.clock),
            save_quotes=self.quotes.save,
            newest_quotes=self.quotes.newest,
            reauthenticate=Reauthenticate(log_in, self.read),
        )

    def _acting(self) -> ActOnSignal:
        return ActOnSignal(
            unit_of_work=self.work,
            read_work=self.read,
            take=TakeSignal(self.work, secret_path),
            place=self.place,
            engines={EVIDENCE: EvidenceEngine()},
            market=StoredMarket(self.bars, self.quotes, self.clock),
            quotes=self.quotes,
            clock=self.clock,
        )

    def _decisions(self) -> DecisionServices:
        create = CreateStrategy(self.work, (EVIDENCE, "remote"), self.clock)
        scores = ReadScores(self.read, self.quotes, self.clock)
        return DecisionServices(create, ChangeStrategy(self.work, self.clock), ReadDecisions(self.read), scores)

    def _intelligence(self) -> IntelligenceServices:
        return IntelligenceServices(
            models=ReadModels(self.read),
            activate=ActivateModel(self.work, self.clock),
            scorecard=ReadScorecard(self.read),
            suggestions=ReadSuggestions(self.read),
            import_news=ImportNews(self.work),
            read_news=ReadNews(self.read),
            read_sentiment=ReadSentiment(self.read, self.clock),
            clock=self.clock,
        )

    def _services(self) -> HttpServices:
        return HttpServices(
            trading=self._trading(),
            signals=SignalServices(self._acting(), ReadSignals(self.read), self.clock),
            decisions=self._decisions(),
            intelligence=self._intelligence(),
            prepare_job=self.prepare,
            submit_jobs=SubmitJobs(self.work, self.queue),
            get_job=GetJob(self.read),
            list_jobs=ListJobs(self.read),
            cancel_job=CancelJob(self.work),
            retry_job=RetryJob(self.work, self.queue),
            job_types=self.job_types,
            artifact_path=lambda artifact: self.folder / artifact.path,
            events=self.read,
            bus=self.bus,
            health=self.health,
            metrics=lambda: b"# TYPE some counter\n",
            version="1.2.3",
            identity=IdentityServices(
                authenticate=Authenticate(self.work, self.clock, self.read),
                log_in=LogIn(self.work, self.hasher, self.clock),
                login_by_link=LoginByLink(self.work, self.clock),
                log_out=LogOut(self.work, self.clock),
                issue_token=IssueToken(self.work, self.clock),
                rotate_token=RotateToken(self.work, self.clock),
                revoke_token=RevokeToken(self.work, self.clock),
                list_tokens=ListTokens(self.read),
                users=FindUser(self.read),
                create_user=CreateUser(self.work, self.hasher, self.clock),
                change_user=ChangeUser(self.work, self.hasher, self.clock),
            ),
        )
