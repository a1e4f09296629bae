"""Settings: environment, then ``.env``, then defaults. Read once; the core gets values, never the environment."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import (
    AliasChoices,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from aitrader.setting_types import (
    LabelWords,
    LogLevel,
    Networks,
    OptionalFile,
    OptionalPath,
    OptionalText,
    OptionalUrl,
    Origins,
    Rate,
    Words,
    is_loopback,
)
from domain.common.errors import Invalid
from domain.intelligence.labels import Labels, parse_labels

PREFIX = "AITRADER_"


def _ours(name: str) -> Any:
    return AliasChoices(f"{PREFIX}{name.upper()}")


class Settings(BaseSettings):
    """Everything that can be set. Field names are the environment variables in lower case."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="forbid", frozen=True)

    database_url: OptionalText = Field(None, description="postgresql://… or sqlite:///path; unset: embedded SQLite")
    redis_url: OptionalText = Field(None, description="redis://host:6379/0; unset: queue and events in this process")
    mcp_url: OptionalUrl = Field(None, description="MCP server of the broker, http://host:9000/mcp")
    onnx_runner_url: OptionalUrl = Field(None, description="model server, http://host:8001")
    sentiment_engine_url: OptionalUrl = Field(None, description="sentiment engine, http://host:8002")
    strategy_engine_url: OptionalUrl = Field(None, description="strategy engine, http://host:8082")
    sentiment_dialect: Literal["auto", "analyze", "predict"] = Field(
        "auto",
        validation_alias=_ours("sentiment_dialect"),
        description="what the sentiment engine speaks: analyze, predict, or auto, which asks it",
    )
    sentiment_labels: LabelWords = Field(
        (),
        validation_alias=_ours("sentiment_labels"),
        description="what labels of a classifier mean, such as LABEL_0=negative, separated by commas",
    )
    sentiment_token: OptionalText = Field(
        None, validation_alias=_ours("sentiment_token"), description="bearer token for the sentiment engine"
    )
    sentiment_model: OptionalPath = Field(
        None,
        validation_alias=_ours("sentiment_model"),
        description="folder of a transformer exported to ONNX that scores texts here; unset: the built-in engine",
    )
    port: int = Field(8000, ge=0, le=65535, description="port of the API; 0 takes a free one")
    debug: bool = Field(False, description="log at DEBUG, as text instead of JSON")
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")

    host: str = Field("127.0.0.1", validation_alias=_ours("host"), description="address to listen on")
    allowed_hosts: Words = Field(
        (), validation_alias=_ours("allowed_hosts"), description="more Host names to answer to, separated by commas"
    )
    allowed_origins: Origins = Field(
        (),
        validation_alias=_ours("allowed_origins"),
        description="origins of web pages besides our own that may use the API, separated by commas",
    )
    trusted_proxies: Networks = Field(
        (),
        validation_alias=_ours("trusted_proxies"),
        description="addresses or networks of reverse proxies whose X-Forwarded headers count, separated by commas",
    )
    tls_cert: OptionalFile = Field(
        None, validation_alias=_ours("tls_cert"), description="PEM file of the certificate chain; serves HTTPS"
    )
    tls_key: OptionalFile = Field(
        None, validation_alias=_ours("tls_key"), validate_default=True, description="PEM file of the private key"
    )
    rate_limit: Rate = Field(
        "1200/minute",
        validation_alias=_ours("rate_limit"),
        description="requests per token, session or address, such as 1200/minute",
    )
    rate_limit_shared: bool = Field(
        False,
        validation_alias=_ours("rate_limit_shared"),
        description="count requests in Redis for all API processes together; else each counts its own",
    )
    docs: bool = Field(
        default_factory=lambda values: is_loopback(values.get("host", "")),
        validation_alias=_ours("docs"),
        description="serve /docs and /openapi.json; unset: only when listening on this machine alone",
    )
    allowed_private_hosts: Words = Field(
        (),
        validation_alias=_ours("allowed_private_hosts"),
        description="hosts of private networks that URLs set by users may lead to, separated by commas",
    )
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("aitrader", appauthor=False)),
        validation_alias=_ours("data_dir"),
        description="where bars, artifacts and the embedded database live",
    )
    threads: int = Field(8, ge=1, le=256, validation_alias=_ours("threads"), description="job threads per worker")
    processes: int = Field(
        default_factory=lambda: max(1, os.cpu_count() or 1),
        ge=1,
        le=128,
        validation_alias=_ours("processes"),
        description="CPU-heavy jobs at once per worker",
    )
    signals_stream: str = Field(
        "signals:global",
        min_length=1,
        max_length=200,
        validation_alias=_ours("signals_stream"),
        description="Redis stream that signals are read from, where there is Redis",
    )
    ticks_stream: str = Field(
        "ticks:global",
        min_length=1,
        max_length=200,
        validation_alias=_ours("ticks_stream"),
        description="Redis stream of ticks, where there is Redis",
    )
    feed: Literal["off", "simulated", "replay", "broker", "redis"] = Field(
        "off",
        validation_alias=_ours("feed"),
        description="where prices come from: off, simulated, replay, broker (of an account) or redis",
    )
    feed_symbols: Words = Field(
        (), validation_alias=_ours("feed_symbols"), description="symbols of the feed, separated by commas"
    )
    feed_file: Path | None = Field(
        None,
        validation_alias=_ours("feed_file"),
        description="file or folder of recorded ticks for the feed replay; unset: ticks made of stored bars",
    )
    feed_account: OptionalText = Field(
        None, validation_alias=_ours("feed_account"), description="account whose broker the feed asks for prices"
    )
    feed_speed: float = Field(
        1.0,
        ge=0.001,
        le=100_000,
        validation_alias=_ours("feed_speed"),
        description="how many times faster than in reality a simulated or replayed feed runs",
    )
    feed_stale_seconds: float = Field(
        30.0,
        ge=1,
        le=86_400,
        validation_alias=_ours("feed_stale_seconds"),
        description="how long a feed may be silent while exchanges are open before health says so",
    )
    record_ticks: bool = Field(
        False,
        validation_alias=_ours("record_ticks"),
        description="keep every tick of the feed in the folder ticks, to be replayed",
    )
    live_bars: Literal["1m", "5m", "15m", "30m", "1h"] = Field(
        "1m", validation_alias=_ours("live_bars"), description="length of the bars that ticks are gathered in"
    )
    engine_timeout_seconds: float = Field(
        1.0,
        ge=0.05,
        le=30,
        validation_alias=_ours("engine_timeout_seconds"),
        description="how long an outside engine may take to answer; a strategy engine that is late means hold",
    )
    api_threads: int = Field(8, ge=1, le=256, validation_alias=_ours("api_threads"), description="threads of the API")
    lease_seconds: float = Field(
        30.0,
        ge=1,
        le=600,
        validation_alias=_ours("lease_seconds"),
        description="how long a silent worker keeps a job",
    )
    cancel_grace_seconds: float = Field(
        10.0,
        ge=0,
        le=300,
        validation_alias=_ours("cancel_grace_seconds"),
        description="how long a canceled job may take to stop before it is killed",
    )
    drain_seconds: float = Field(
        5.0,
        ge=0,
        le=15,
        validation_alias=_ours("drain_seconds"),
        description="how long running jobs may go on after a stop signal before they are handed back",
    )
    plugins_blocked: Words = Field(
        (), validation_alias=_ours("plugins_blocked"), description="plugins to leave out, separated by commas"
    )
    plugins_only: Words | None = Field(
        None, validation_alias=_ours("plugins_only"), description="the only plugins to load, separated by commas"
    )
    plugins_strict: bool = Field(
        False, validation_alias=_ours("plugins_strict"), description="refuse to start when a plugin fails"
    )
    vault_key: Path | None = Field(
        None,
        validation_alias=_ours("vault_key"),
        description="file with the key that encrypts brokers' sessions; unset: vault.key in the data folder",
    )
    notify_urls: Words = Field(
        (), validation_alias=_ours("notify_urls"), description="apprise URLs for alerts, separated by commas"
    )

    def __init__(self, **values: Any) -> None:
        # By field name only here: with populate_by_name a stray HOST or THREADS of the environment would count.
        super().__init__(**{_key(name): value for name, value in values.items()})

    @field_validator("tls_key")
    @classmethod
    def _both_or_none(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "tls_cert" in info.data and (key is None) != (info.data["tls_cert"] is None):
            raise ValueError("set both AITRADER_TLS_CERT and AITRADER_TLS_KEY, or none of them")
        return key

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the API."""
        return is_loopback(self.host)

    @property
    def embedded_database(self) -> bool:
        """Whether the database is the SQLite file of the data directory."""
        return self.database_url is None

    @property
    def database(self) -> str:
        """The URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_dir / 'aitrader.db'}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of the settings must appear in no log: passwords of URLs, and all of a notification URL's parts."""
        urls = (self.database_url, self.redis_url, self.mcp_url, self.onnx_runner_url)
        more = (self.sentiment_engine_url, self.strategy_engine_url)
        found = [_password_of(str(url)) for url in (*urls, *more) if url is not None]
        found += [self.sentiment_token or ""]
        found += [part for url in self.notify_urls for part in re.split(r"[/:@?&=]+", url.partition("://")[2])]
        return tuple(part for part in found if part)

    @property
    def labels(self) -> Labels:
        """What the labels of sentiment classifiers mean."""
        return Labels(parse_labels(self.sentiment_labels))

    @property
    def mcp_address(self) -> str | None:
        """The URL of the broker's MCP server, as text."""
        return None if self.mcp_url is None else str(self.mcp_url)

    @property
    def vault_key_path(self) -> Path:
        """The file with the key that brokers' sessions are encrypted with; made when first needed."""
        return self.vault_key or self.data_dir / "vault.key"

    @property
    def bell_path(self) -> Path:
        """Where other programs on this machine ring when they have stored a job."""
        return self.data_dir / "bell.sock"

    @property
    def bars_dir(self) -> Path:
        """Where bars are kept."""
        return self.data_dir / "bars"

    @property
    def ticks_dir(self) -> Path:
        """Where recorded ticks are kept."""
        return self.data_dir / "ticks"

    @property
    def models_dir(self) -> Path:
        """Where model folders are kept."""
        return self.data_dir / "models"

    @property
    def artifacts_dir(self) -> Path:
        """Where files made by jobs are kept."""
        return self.data_dir / "artifacts"

    def as_env(self) -> dict[str, str]:
        """Return what was set, as environment variables for a child process."""
        values = self.model_dump(exclude_unset=True, exclude_none=True)
        return {variable_of(name): _text(value) for name, value in values.items()}


def _password_of(url: str) -> str:
    user, _, password = url.partition("://")[2].rpartition("@")[0].partition(":")
    # The password of every tutorial is no secret, and hiding it would hide the word everywhere.
    return "" if password == user else password


def _key(field: str) -> str:
    info = Settings.model_fields.get(field)
    return field if info is None or info.validation_alias is None else variable_of(field)


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def variable_of(field: str) -> str:
    """Return the environment variable of a settings field."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else field.upper()


def variables() -> dict[str, str]:
    """Return every environment variable with what it means."""
    return {variable_of(name): str(info.description) for name, info in Settings.model_fields.items()}


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` (by field name, None ignored) win over everything.

    Raises:
        Invalid: one line that names the variable, the value and what is allowed.
    """
    _refuse_unknown(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise Invalid(_one_line(error), code="invalid_settings") from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = set(variables())
    for name in sorted(environment):
        if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_") and name not in known:
            raise Invalid(f"{name} is not a setting{_did_you_mean(name, known)}", code="invalid_settings")


def _did_you_mean(name: str, known: set[str]) -> str:
    ours = {f"{PREFIX}{name}"} & known
    close = sorted(ours) or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}"


def _one_line(error: ValidationError) -> str:
    problem = error.errors()[0]
    field = str(problem["loc"][0]) if problem["loc"] else ""
    known = variables()
    if field in Settings.model_fields and problem["type"] != "extra_forbidden":
        field = variable_of(field)
    variable = next((name for name in known if name.lower() == field.lower()), None)
    if variable is None or problem["type"] == "extra_forbidden":
        return f"{field.upper()} in .env is not a setting{_did_you_mean(field.upper(), set(known))}"
    shown = "***" if "@" in str(problem["input"]) else repr(problem["input"])
    return f"{variable}={shown} is not allowed: {problem['msg'].removeprefix('Value error, ')} ({known[variable]})"
