from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aitrader.settings import Settings, load_settings, variable_of, variables
from domain.common.errors import Invalid
from tests.unit.aitrader.conftest import SEED

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Any:
    return monkeypatch.setenv


def refusal(**overrides: Any) -> str:
    with pytest.raises(Invalid) as caught:
        load_settings(**overrides)
    assert caught.value.code == "invalid_settings"
    assert "\n" not in caught.value.detail
    return caught.value.detail


def test_without_any_setting_everything_is_embedded() -> None:
    settings = load_settings()
    assert settings.database_url is settings.redis_url is settings.mcp_url is None
    assert settings.embedded_database
    assert settings.database == f"sqlite:///{settings.data_dir / 'aitrader.db'}"
    assert (settings.host, settings.port, settings.debug, settings.log_level) == ("127.0.0.1", 8000, False, "INFO")
    assert settings.as_env() == {}


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("DATABASE_URL", "postgresql://u:p@db/aitrader", "postgresql://u:p@db/aitrader"),
        ("REDIS_URL", "redis://cache:6379/0", "redis://cache:6379/0"),
        ("MCP_URL", "http://broker:9000/mcp", "http://broker:9000/mcp"),
        ("ONNX_RUNNER_URL", "http://onnx:8001", "http://onnx:8001/"),
        ("SENTIMENT_ENGINE_URL", "http://mood:8002", "http://mood:8002/"),
        ("STRATEGY_ENGINE_URL", "http://plan:8082", "http://plan:8082/"),
        ("PORT", "8080", "8080"),
        ("DEBUG", "true", "True"),
        ("LOG_LEVEL", "warning", "WARNING"),
        ("AITRADER_HOST", "0.0.0.0", "0.0.0.0"),
        ("AITRADER_DATA_DIR", "/var/lib/x", "/var/lib/x"),
        ("AITRADER_PLUGINS_BLOCKED", " a, b ,,c", "('a', 'b', 'c')"),
        ("AITRADER_PLUGINS_ONLY", "", "()"),
        ("AITRADER_ALLOWED_ORIGINS", "https://a.example, http://B:3000", "('https://a.example', 'http://b:3000')"),
        ("AITRADER_TRUSTED_PROXIES", "10.0.0.1, 10.1.2.3/16,::1", "('10.0.0.1/32', '10.1.0.0/16', '::1/128')"),
        ("AITRADER_RATE_LIMIT", "10/second", "10/second"),
        ("AITRADER_DOCS", "no", "False"),
        ("AITRADER_ALLOWED_PRIVATE_HOSTS", "engine,10.0.0.0/8", "('engine', '10.0.0.0/8')"),
        ("AITRADER_TLS_CERT", "", "None"),
        ("AITRADER_SENTIMENT_DIALECT", "predict", "predict"),
        (
            "AITRADER_SENTIMENT_LABELS",
            "LABEL_0=negative, LABEL_1=positive",
            "('LABEL_0=negative', 'LABEL_1=positive')",
        ),
        ("AITRADER_SENTIMENT_MODEL", "/models/finbert", "/models/finbert"),
        ("AITRADER_SENTIMENT_MODEL", "", "None"),
        ("AITRADER_SENTIMENT_TOKEN", "", "None"),
    ],
)
def test_every_variable_is_read(env: Any, variable: str, text: str, value: str) -> None:
    env(variable, text)
    field = variable.removeprefix("AITRADER_").lower()
    assert str(getattr(load_settings(), field)) == value


def test_the_variables_of_the_ecosystem_keep_their_names() -> None:
    assert set(SEED) < set(variables())
    assert all(name in SEED or name.startswith("AITRADER_") for name in variables())
    assert all(variables().values())


@pytest.mark.parametrize("variable", [name for name in SEED if name.endswith("_URL")])
def test_an_empty_url_is_none(env: Any, variable: str) -> None:
    env(variable, "")
    assert getattr(load_settings(), variable.lower()) is None


@pytest.mark.parametrize("stray", ["HOST", "THREADS", "PROCESSES", "DATA_DIR", "API_THREADS"])
def test_variables_of_others_do_not_count(env: Any, stray: str) -> None:
    env(stray, "99")
    assert load_settings().as_env() == {}


def test_a_flag_beats_the_environment_beats_dotenv(env: Any) -> None:
    Path(".env").write_text("PORT=1\nAITRADER_THREADS=2\nLOG_LEVEL=error\n")
    env("PORT", "11")
    env("AITRADER_THREADS", "12")
    settings = load_settings(port=111, threads=None)
    assert (settings.port, settings.threads, settings.log_level) == (111, 12, "ERROR")


@pytest.mark.parametrize(
    ("variable", "value", "parts"),
    [
        ("PORT", "abc", ["PORT='abc'", "integer", "port of the API"]),
        ("PORT", "70000", ["PORT='70000'", "65535"]),
        ("DEBUG", "perhaps", ["DEBUG='perhaps'", "boolean"]),
        ("LOG_LEVEL", "loud", ["LOG_LEVEL='LOUD'", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"]),
        ("MCP_URL", "ftp://host/x", ["MCP_URL='ftp://host/x'", "'http' or 'https'"]),
        ("ONNX_RUNNER_URL", "nonsense", ["ONNX_RUNNER_URL='nonsense'", "URL"]),
        ("AITRADER_THREADS", "0", ["AITRADER_THREADS='0'", "greater than or equal to 1"]),
        ("AITRADER_LEASE_SECONDS", "0.1", ["AITRADER_LEASE_SECONDS='0.1'", "greater than or equal to 1"]),
        ("AITRADER_PLUGINS_STRICT", "x", ["AITRADER_PLUGINS_STRICT='x'"]),
        ("AITRADER_ALLOWED_ORIGINS", "*", ["'*' is not an origin such as https://"]),
        ("AITRADER_ALLOWED_ORIGINS", "https://a.example/", ["is not an origin"]),
        ("AITRADER_ALLOWED_ORIGINS", "ws://a.example", ["is not an origin"]),
        ("AITRADER_TRUSTED_PROXIES", "10.0.0.1,proxy", ["AITRADER_TRUSTED_PROXIES='proxy'", "10.0.0.0/8"]),
        ("AITRADER_TRUSTED_PROXIES", "10.0.0.0/33", ["is no address and no network"]),
        ("AITRADER_TLS_CERT", "/nowhere.pem", ["AITRADER_TLS_CERT='/nowhere.pem'", "does not point to a file"]),
        ("AITRADER_RATE_LIMIT", "many", ["AITRADER_RATE_LIMIT='many'", "1200/minute"]),
        ("AITRADER_RATE_LIMIT", "0/minute", ["1200/minute"]),
        ("AITRADER_RATE_LIMIT", "", ["1200/minute"]),
        ("AITRADER_DOCS", "perhaps", ["AITRADER_DOCS='perhaps'", "boolean"]),
        ("AITRADER_SENTIMENT_DIALECT", "tei", ["'auto', 'analyze' or 'predict'"]),
        ("AITRADER_SENTIMENT_LABELS", "LABEL_0=good", ["'LABEL_0=good' is not a label such as LABEL_0=negative"]),
    ],
)
@pytest.mark.parametrize("where", ["environment", "dotenv"])
def test_one_line_names_the_variable_the_value_and_what_is_allowed(
    env: Any, where: str, variable: str, value: str, parts: list[str]
) -> None:
    if where == "environment":
        env(variable, value)
    else:
        Path(".env").write_text(f"{variable}={value}\n")
    message = refusal()
    assert [part for part in parts if part not in message] == []


def test_a_wrong_flag_names_the_variable_too() -> None:
    assert refusal(threads=0).startswith("AITRADER_THREADS=0 is not allowed")


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("AITRADER_THREDS", "did you mean AITRADER_THREADS?"),
        ("AITRADER_PLUGIN_BLOCKED", "did you mean AITRADER_PLUGINS_BLOCKED?"),
        ("AITRADER_ZZZZZZZZZZZZ", "known: AITRADER_A"),
    ],
)
def test_an_unknown_setting_of_ours_is_refused(env: Any, variable: str, hint: str) -> None:
    env(variable, "1")
    message = refusal()
    assert message.startswith(f"{variable} is not a setting")
    assert hint in message


def test_settings_of_the_test_suite_are_not_ours(env: Any) -> None:
    env("AITRADER_TEST_POSTGRES", "/usr/bin")
    load_settings()


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("DATABSE_URL", "did you mean DATABASE_URL?"),
        ("AITRADER_THREDS", "did you mean AITRADER_THREADS?"),
        ("HOST", "did you mean AITRADER_HOST?"),
    ],
)
def test_an_unknown_key_of_dotenv_is_refused(key: str, hint: str) -> None:
    Path(".env").write_text(f"{key}=hunter2\n")
    message = refusal()
    assert message.startswith(f"{key} in .env is not a setting")
    assert hint in message
    assert "hunter2" not in message


@pytest.mark.parametrize("variable", ["MCP_URL", "ONNX_RUNNER_URL", "PORT"])
@pytest.mark.parametrize("value", ["ftp://me:hunter2@host/x", "me:hunter2@host"])
def test_passwords_are_never_shown(env: Any, variable: str, value: str) -> None:
    env(variable, value)
    message = refusal()
    assert "hunter2" not in message
    assert f"{variable}=***" in message


def test_what_was_set_survives_the_way_to_a_child(env: Any, monkeypatch: pytest.MonkeyPatch, clean: Path) -> None:
    given = {
        "DATABASE_URL": "postgresql://u:p@db/aitrader",
        "MCP_URL": "http://broker:9000/mcp",
        "DEBUG": "1",
        "LOG_LEVEL": "debug",
        "AITRADER_PLUGINS_BLOCKED": "a,b",
        "AITRADER_PLUGINS_ONLY": "",
        "AITRADER_LEASE_SECONDS": "2.5",
        "AITRADER_NOTIFY_URLS": "mailto://u:p@host,json://x",
    }
    for name, value in given.items():
        env(name, value)
    Path(".env").write_text("AITRADER_THREADS=3\n")
    settings = load_settings(port=0, data_dir=clean / "data")
    for name in given:
        monkeypatch.delenv(name)
    Path(".env").unlink()
    assert set(settings.as_env()) == {*given, "AITRADER_THREADS", "PORT", "AITRADER_DATA_DIR"}
    for name, value in settings.as_env().items():
        env(name, value)
    assert load_settings() == settings


def test_folders_lie_in_the_data_directory(env: Any) -> None:
    env("AITRADER_DATA_DIR", "/d")
    settings = load_settings()
    assert settings.bars_dir == Path("/d/bars")
    assert settings.artifacts_dir == Path("/d/artifacts")
    assert settings.database == "sqlite:////d/aitrader.db"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


def test_every_field_has_one_variable() -> None:
    names = [variable_of(field) for field in Settings.model_fields]
    assert len(set(names)) == len(names)


def test_certificate_and_key_come_together(env: Any, clean: Path) -> None:
    cert, key = clean / "cert.pem", clean / "key.pem"
    cert.touch()
    key.touch()
    env("AITRADER_TLS_CERT", str(cert))
    assert "set both AITRADER_TLS_CERT and AITRADER_TLS_KEY" in refusal()
    env("AITRADER_TLS_KEY", str(key))
    settings = load_settings()
    assert (settings.tls_cert, settings.tls_key) == (cert, key)
    env("AITRADER_TLS_CERT", "")
    assert refusal().startswith("AITRADER_TLS_KEY=")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
    ],
)
def test_the_documentation_is_shown_on_this_machine_only(env: Any, host: str, loopback: bool) -> None:
    env("AITRADER_HOST", host)
    assert (load_settings().loopback, load_settings().docs) == (loopback, loopback)
    env("AITRADER_DOCS", "true")
    assert load_settings().docs


def test_what_of_the_settings_is_secret() -> None:
    settings = load_settings(
        database_url="postgresql://me:pa/ss@db/x",
        redis_url="redis://postgres:postgres@h/0",
        mcp_url="http://h/mcp",
        notify_urls=("tgram://bot-token/chat",),
        sentiment_token="hf_secret",
    )
    assert settings.secrets == ("pa/ss", "hf_secret", "bot-token", "chat")
