"""Kinds of settings: how text from the environment is read and checked."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, FilePath
from pydantic_settings import NoDecode

from domain.common.errors import Invalid
from domain.intelligence.labels import parse_labels


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _level(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _empty_is_unset(value: object) -> object:
    return None if value == "" else value


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{value!r} is not an origin such as https://trader.example.org")
    return value.lower()


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError(f"{value!r} is no address and no network such as 10.0.0.0/8") from None


def _labels(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        parse_labels(value)
    except Invalid as error:
        raise ValueError(error.detail) from None
    return value


def _rate(value: str) -> str:
    import limits

    try:
        fits = limits.parse(value).amount > 0
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("expected a number per second, minute, hour or day, such as 1200/minute")
    return value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
OptionalText = Annotated[str | None, BeforeValidator(_empty_is_unset)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_words)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_words)]
LabelWords = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_labels)]
Rate = Annotated[str, AfterValidator(_rate)]
OptionalFile = Annotated[FilePath | None, BeforeValidator(_empty_is_unset)]
OptionalPath = Annotated[Path | None, BeforeValidator(_empty_is_unset)]
OptionalUrl = Annotated[AnyHttpUrl | None, BeforeValidator(_empty_is_unset)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_level)]
