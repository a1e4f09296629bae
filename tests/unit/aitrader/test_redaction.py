"""No canary that is planted under a secret's name or in a secret's form comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aitrader import redaction
from aitrader.redaction import LONGEST, MASK, hide, is_sensitive, redact, redact_record, redact_text
from domain.identity.secrets import new_token

CANARY = "C4n4ryC4n4ryC4n4ryC4n4ry"
TOKEN, PREFIX = new_token()

FORMS = [
    "Bearer {0}",
    "bearer.{0}",
    "Authorization: Token {0}",
    "authorization: Basic {0}",
    "Cookie: theme=dark; __Host-aitrader_session={0}; x=y",
    "Set-Cookie: aitrader_session={0}; HttpOnly",
    "__Host-session={0}",
    "postgresql://me:{0}@db:5432/x",
    "postgresql://me:{0}/with/slash@db:5432/x",
    "redis://:{0}@cache:6379/0",
    "https://{0}@example.org/",
    "password={0}",
    "password = '{0} and more'",
    '{{"password": "{0} and more"}}',
    '{{"api_key":"{0}"}}',
    '{{\\"client_secret\\": \\"{0}\\"}}',
    "enctoken {0}".replace(" ", "="),
    "X-Api-Key: {0}",
    "access_token={0}&x=1",
    "https://example.org/?api_key={0}",
    "http://127.0.0.1:8000/auth/login?link={0}",
    "key={0}",
    "csrf_token: {0}",
    "(b'authorization', b'{0}')",
    "['x-api-key', '{0}']",
    "-----BEGIN RSA PRIVATE KEY-----\n{0}\n-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJ.{0}.{0}",
    "$argon2id$v=19$m=19456,t=2,p=1${0}${0}",
    "sk-{0}",
    "ghp_{0}",
]
NAMES = [
    *("password", "Passwd", "db_password", "passphrase", "secret", "client-secret", "token", "access_token"),
    *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "api_key", "apiKey", "X-API-Key", "csrf"),
    *("X-CSRF-Token", "enctoken", "private_key", "credentials", "password_hash", "secret_hash", "otp", "jwt"),
]


class Colour(Enum):
    RED = "red"


class Awkward:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("form", FORMS)
def test_known_forms_are_hidden_in_text(form: str) -> None:
    text = redact_text(f"it said {form.format(CANARY)}")
    assert CANARY not in text
    assert MASK in text
    assert text.startswith("it said ")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets(name: str) -> None:
    assert is_sensitive(name)
    assert redact({name: CANARY, "n": 1}) == {name: MASK, "n": 1}
    assert redact([(name.encode(), CANARY.encode())]) == [[name, MASK]]


@pytest.mark.parametrize("name", ["token_id", "user_id", "author", "session", "symbols", "key", "scopes", "pinned"])
def test_names_of_what_may_be_seen(name: str) -> None:
    assert redact({name: "plain"}) == {name: "plain"}


def test_whether_a_secret_is_set_may_be_seen() -> None:
    assert redact({"password": None, "has_password": True, "token": ""}) == {
        "password": None,
        "has_password": True,
        "token": "",
    }
    assert redact({"password": 123456, "secret": {"a": 1}}) == {"password": MASK, "secret": MASK}


def test_a_token_of_ours_keeps_its_public_part() -> None:
    assert redact_text(f"used {TOKEN}!") == f"used {PREFIX}_{MASK}!"
    assert redact_text(f"prefix {PREFIX}") == f"prefix {PREFIX}"
    assert TOKEN[-20:] not in redact_text(TOKEN[:-1])


@pytest.mark.parametrize(
    "text",
    [
        "job 0190a4f2-0000-7000-8000-000000000000 succeeded in 1.5 s",
        "there is no such token",
        "the password must have 12 to 128 characters",
        "GET http://127.0.0.1:8000/jobs?limit=5 200",
        "sqlite:////var/lib/aitrader/aitrader.db",
        "NSE:RELIANCE at 2018-12-31T09:30Z, session exchange",
        "head 7c7400d3de45425ac08c56fa3990f511d5e304bc1d61f3026fcb57bd40dcd7e6",
    ],
)
def test_plain_text_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("form", FORMS)
def test_what_was_redacted_stays_as_it_is(form: str) -> None:
    once = redact_text(form.format(CANARY))
    assert redact_text(once) == once


def test_control_characters_are_escaped() -> None:
    assert redact_text("a\r\nb\tc\x00\x1b[31m\x85\u2028\u202e\ud800") == (
        "a\\r\\nb\\tc\\x00\\x1b[31m\\x85\\u2028\\u202e\\ud800"
    )
    assert redact_text("a\n\tb\r\x1b", lines=True) == "a\n\tb\\r\\x1b"
    assert redact_text("₹ ☃ é 漢") == "₹ ☃ é 漢"


def test_long_values_are_cut_and_no_half_secret_is_left() -> None:
    assert len(redact_text("x" * 200_000)) < LONGEST + 20
    for fill in range(0, 4000, 37):
        text = "y " * ((100_000 - fill) // 2) + f"password={CANARY}" * 300
        assert CANARY[:8] not in redact_text(text)


def test_other_kinds_become_json() -> None:
    shown = redact(
        {
            1: Path("/a"),
            "when": datetime(2024, 1, 2, tzinfo=UTC),
            "enum": Colour.RED,
            "set": {1},
            "bytes": b"\xff",
            "error": ValueError("password=hunter2"),
            "awkward": Awkward(),
        }
    )
    json.dumps(shown)
    assert shown["1"] == "/a"
    assert (shown["enum"], shown["set"], shown["bytes"]) == ("red", [1], "\\xff")
    assert shown["error"] == f"ValueError: password={MASK}"
    assert shown["awkward"] == "<Awkward that cannot be shown>"


def test_what_contains_itself_ends() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = [endless]
    assert "…" in json.dumps(redact(endless), ensure_ascii=False)


def test_a_record_keeps_the_lines_of_its_traceback_only() -> None:
    record = redact_record(
        None, "", {"event": "a\nb", "exception": f"Traceback\n  Error: Bearer {CANARY}", "token": CANARY}
    )
    assert record == {"event": "a\\nb", "exception": f"Traceback\n  Error: Bearer {MASK}", "token": MASK}


@pytest.fixture
def forgetful() -> Iterator[None]:
    before = redaction._known, redaction._known_pattern
    yield
    redaction._known, redaction._known_pattern = before


@pytest.mark.usefixtures("forgetful")
def test_secrets_of_the_settings_are_hidden_in_any_form() -> None:
    hide([CANARY, CANARY + "-longer", "short"])
    assert redact_text(f"x{CANARY}y {CANARY}-longer short") == f"x{MASK}y {MASK} short"
    assert CANARY not in json.dumps(redact({"a": [CANARY, {CANARY: b"x" + CANARY.encode()}]}))


plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))
planted = st.one_of(
    st.sampled_from(FORMS).map(lambda form: form.format(CANARY)),
    st.sampled_from(FORMS).map(lambda form: form.format(CANARY).encode()),
    st.sampled_from(FORMS).map(lambda form: ValueError(form.format(CANARY))),
    st.builds(lambda name, value: {name: value}, st.sampled_from(NAMES), st.just(CANARY) | st.just([CANARY])),
    st.builds(lambda name: (name, CANARY), st.sampled_from(NAMES)),
    st.builds(lambda form, value: {form.format(CANARY): value}, st.sampled_from(FORMS), plain),
    st.builds(lambda name, form: json.dumps({name: form}), st.sampled_from(NAMES), st.just(CANARY)),
)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.tuples(inner, inner, inner),
            st.dictionaries(st.text(max_size=12), inner, max_size=4),
        ),
        max_leaves=12,
    )


@example(json.dumps({"otp": CANARY}), "", "")
@given(nested(planted | plain), st.text(max_size=30), st.text(max_size=30))
def test_canaries_never_come_out(value: Any, before: str, after: str) -> None:
    assert CANARY not in json.dumps(redact(value))
    assert CANARY not in json.dumps(redact_record(None, "", {"event": "x", "extra": value}))


@given(st.sampled_from(FORMS), st.text(max_size=30), st.text(max_size=30))
def test_canaries_never_come_out_of_text(form: str, before: str, after: str) -> None:
    assert CANARY not in redact_text(f"{before} {form.format(CANARY)} {after}")


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    shown = redact_text(text)
    assert shown.splitlines() in ([], [shown])
    shown.encode()
