"""Bytes of files into text, and HTML into what a person would read of it."""

from __future__ import annotations

import codecs
import html
import re

from domain.common.errors import FieldError, Invalid

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TAG = re.compile(r"<(?:(/?)([a-z][a-z0-9]*)|[!?])", re.IGNORECASE | re.ASCII)
_INLINE = frozenset({"a", "abbr", "b", "em", "font", "i", "mark", "small", "span", "strong", "sub", "sup", "u"})
_UNREAD = ("script", "style")
_UNREAD_END = re.compile(r"</(?:script|style)", re.IGNORECASE | re.ASCII)


def decoded(data: bytes, encoding: str | None, name: str) -> str:
    """Return the text of a file: by its byte order mark, else UTF-8, unless an encoding is told.

    Nothing is guessed: a wrong guess would silently change what is scored.

    Raises:
        Invalid: it is not text in that encoding, or there is no such encoding.
    """
    word = encoding or next((word for mark, word in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(word)
    except LookupError:
        problem = [FieldError("encoding", "is no known encoding")]
        raise Invalid(f"{word[:40]!r} is no encoding of text", code="unknown_encoding", errors=problem) from None
    except (UnicodeDecodeError, ValueError) as problem:
        place = f" at byte {problem.start}" if isinstance(problem, UnicodeDecodeError) else ""
        raise Invalid(
            f"{name} is not {word}{place}; say which encoding it has, such as latin-1 or utf-16 (encoding)",
            code="wrong_encoding",
        ) from None
    if "\0" in text[:4096]:
        raise Invalid(
            f"{name} holds NUL characters; is it UTF-16? Say which encoding it has, such as utf-16-le (encoding)",
            code="wrong_encoding",
        )
    return text.removeprefix("\ufeff")


def plain_text(markup: str) -> str:
    """Return HTML without its tags, comments, scripts and styles, its character references resolved.

    One pass from left to right, whatever the markup. ``<`` that begins no tag stays.
    """
    parts, at, last = [], 0, markup.rfind(">")
    while 0 <= (start := markup.find("<", at)) < last:
        parts.append(markup[at:start])
        tag = _TAG.match(markup, start)
        at = start + 1 if tag is None else _end_of(markup, tag)
        if tag is None:
            parts.append("<")
        elif (tag[2] or "").lower() not in _INLINE:
            parts.append(" ")
    return html.unescape("".join([*parts, markup[at:]]))


def _end_of(markup: str, tag: re.Match[str]) -> int:
    if markup.startswith("<!--", tag.start()):
        end = markup.find("-->", tag.end())
        return len(markup) if end < 0 else end + 3
    start = tag.end()
    if not tag[1] and (tag[2] or "").lower() in _UNREAD:
        close = _UNREAD_END.search(markup, start)
        if close is None:
            return len(markup)
        start = close.end()
    return markup.find(">", start) + 1 or len(markup)
