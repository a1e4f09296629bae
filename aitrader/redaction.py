"""Taking secrets and control characters out of what is logged or kept: by key name, by pattern, and by value.

It errs on the side of hiding: a harmless word after ``token:`` goes too. What has no name and no known form cannot be
recognised, except for the secrets of the settings, which are known (``hide``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from enum import Enum
from typing import Any

MASK = "[redacted]"
LONGEST = 8_000
_READ = 100_000
_DEEPEST = 12
_MOST_ITEMS = 500
_SHORTEST_KNOWN = 8

_NAMES = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|authori[sz]ation|cookie|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|csrf|xsrf|credentials?|signature|jwt|bearer"
)
_SENSITIVE = re.compile(rf"{_NAMES}|(?:^|_)(?:otp|totp|pin)(?:_|$)")
# Names of the kind above that hold no secret; without them the audit log would not say which token.
_HARMLESS = frozenset({"token_id", "token_name", "token_prefix", "credential_id", "token_scopes"})

# Every repetition is bounded or cannot be entered twice, so that a hostile text takes time in its length only.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}-----|\Z)"), MASK),
    (re.compile(r"(ait_[0-9A-Za-z]{8}_)[0-9A-Za-z]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)((?:authorization|cookie)\\{0,8}[\"']?\s{0,5}[:=]\s{0,5})[^\r\n]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)([\s.:]{1,5})[A-Za-z0-9._~+/=-]{8,}"), rf"\1\2{MASK}"),
    (re.compile(r"(://[^\s:/@]{0,256}:)[^\s@]{1,1024}@"), rf"\1{MASK}@"),
    (re.compile(r"(://)[^\s:/@]{1,1024}@"), rf"\1{MASK}@"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"), MASK),
    (re.compile(r"\$argon2\w{0,2}\$[^\s\"']+"), MASK),
    (re.compile(r"\b(?:sk-|gh[pousr]_|xox[abprs]-|AKIA)[A-Za-z0-9_-]{10,}"), MASK),
    (
        re.compile(
            rf"(?i)((?:{_NAMES})[\w-]{{0,40}}\\{{0,8}}[\"']?\s{{0,5}}(?:[=:]\s{{0,5}}|,\s{{0,5}}(?=b?[\"'])))"
            r"(?:\[redacted\]|b?\\{0,8}\"(?:[^\"\\]|\\.)*\"?|b?\\{0,8}'(?:[^'\\]|\\.)*'?|[^\s\"'&;,)}\]]+)",
            re.DOTALL,
        ),
        rf"\1{MASK}",
    ),
    (
        re.compile(r"(?i)(\b(?:otp|totp|pin)\\{0,8}[\"']?\s{0,5}[=:]\s{0,5}\\{0,8}[\"']?)[^\s\"'&;,)}\]\\]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)([?&]link=)[^\s&#\"']+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(key[\"']?\s{0,5}[=:]\s{0,5}[\"']?)[A-Za-z0-9+/_=-]{20,}"), rf"\1{MASK}"),
    (re.compile(r"(?i)(session[\w-]{0,40}[\"']?\s{0,5}[=:]\s{0,5}[\"']?)[A-Za-z0-9._~+/=-]{16,}"), rf"\1{MASK}"),
)
# C0 and C1, line and paragraph separators, bidirectional overrides, lone surrogates.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_known: frozenset[str] = frozenset()
_known_pattern: re.Pattern[str] | None = None


def hide(secrets: Iterable[str]) -> None:
    """Hide these texts wherever they appear from now on in this process; shorter than 8 characters are ignored."""
    global _known, _known_pattern
    _known = _known | {secret for secret in secrets if len(secret) >= _SHORTEST_KNOWN}
    longest_first = sorted(_known, key=len, reverse=True)
    _known_pattern = re.compile("|".join(re.escape(secret) for secret in longest_first)) if _known else None


def redact_text(text: str, *, lines: bool = False) -> str:
    """Return a text without secrets and control characters, cut to 8000 characters.

    Args:
        lines: keep line breaks and tabs, as in a traceback.
    """
    if len(text) > _READ:
        end = text.rfind(" ", _READ - 2048, _READ)  # what a cut leaves of a secret would not be recognised
        text = text[: end if end >= 0 else _READ - 2048]
    if _known_pattern is not None:
        text = _known_pattern.sub(MASK, text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    text = (_CONTROL_IN_LINES if lines else _CONTROL).sub(_escaped, text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… (cut)"


def redact(value: Any) -> Any:
    """Return a value as JSON types, without secrets: by the names of its keys, and by pattern in every text."""
    return _redact(value, 0)


def redact_record(_logger: Any, _method: str, record: Any) -> Any:
    """Redact a log record: a structlog processor, to run after exceptions were formatted."""
    return {
        name: redact_text(value, lines=True) if name in ("exception", "stack") and isinstance(value, str) else value
        for name, value in _mapping(record, 0, keep_lines=("exception", "stack")).items()
    }


def is_sensitive(name: str) -> bool:
    """Return whether what is kept under this name is a secret."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    return plain not in _HARMLESS and _SENSITIVE.search(plain) is not None


def _redact(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return _redact(value.value, depth)
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes | bytearray):
        return redact_text(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping | list | tuple | Set):
        return "…" if depth >= _DEEPEST else _container(value, depth + 1)
    return redact_text(_shown(value))


def _container(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    items = list(value)[:_MOST_ITEMS]
    if len(items) == 2 and isinstance(value, list | tuple) and _names_secret(items[0]):  # as HTTP headers come
        return [_redact(items[0], depth), _masked(items[1])]
    return [_redact(item, depth) for item in items]


def _mapping(value: Mapping[Any, Any], depth: int, keep_lines: tuple[str, ...] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, item in list(value.items())[:_MOST_ITEMS]:
        if name in keep_lines:
            made[name] = item
        else:
            made[redact_text(_as_text(name))] = _masked(item) if _names_secret(name) else _redact(item, depth)
    return made


def _names_secret(name: Any) -> bool:
    return isinstance(name, str | bytes) and is_sensitive(_as_text(name))


def _as_text(name: Any) -> str:
    if isinstance(name, bytes):
        return name.decode("utf-8", "backslashreplace")
    return name if isinstance(name, str) else _shown(name)


def _masked(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) or value in ("", b"") else MASK


def _shown(value: Any) -> str:
    try:
        return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    known = {10: "\\n", 13: "\\r", 9: "\\t"}
    return known.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def secret_path(value: Any, path: str = "") -> str | None:
    """Return the dotted path of the first secret in JSON data, by key name or by pattern; None when there is none."""
    if isinstance(value, str):
        return path if MASK in redact_text(value) else None
    if isinstance(value, Mapping):
        pairs = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [(str(place), item) for place, item in enumerate(value)]
    else:
        return None
    for name, item in pairs:
        here = f"{path}.{name}" if path else name
        if isinstance(item, str) and item and is_sensitive(name):
            return here
        found = secret_path(item, here)
        if found is not None:
            return found
    return None
