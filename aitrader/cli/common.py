"""What commands share: output for people and for scripts, settings, and the container."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from domain.common.errors import Invalid

if TYPE_CHECKING:
    from rich.progress import Progress

    from aitrader.container import Container
    from aitrader.plugin_host import PluginHost
    from domain.identity.model import User
    from domain.market.ports import BarStore


def print_json(value: Any) -> None:
    """Print one JSON document to stdout."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_json_line(value: Any) -> None:
    """Print one JSON document on one line to stdout, for streams."""
    import orjson

    click.echo(orjson.dumps(value).decode())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, plain aligned text otherwise."""
    if sys.stdout.isatty():
        _print_rich(columns, rows)
        return
    widths = [max(len(str(row[place])) for row in (columns, *rows)) for place in range(len(columns))]
    for row in (columns, *rows):
        click.echo("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_options(title: str, schema: dict[str, Any]) -> None:
    """Print what can be set about something, out of the JSON Schema of its options."""
    click.echo(title)
    for name, option in schema.get("properties", {}).items():
        click.echo(f"  {name}: {option.get('description', option.get('title', ''))}")


def say(text: str) -> None:
    """Tell a person something, on stderr."""
    click.echo(text, err=True)


def progress_bar() -> AbstractContextManager[Progress]:
    """Return a progress bar on stderr; it draws nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def parse_time(text: str) -> int:
    """Return an ISO 8601 date or time as milliseconds UTC; UTC is meant when no zone is given.

    Raises:
        Invalid: not a date or time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a date or time; expected such as 2018-12-31 or 2018-12-31T09:30Z") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def quiet_logging() -> None:
    """Keep the log out of the way of a command's own output: warnings only, unless --verbose."""
    from aitrader.logs import set_up_logging
    from aitrader.settings import load_settings

    context = click.get_current_context(silent=True)
    verbose = bool(context and context.find_root().obj and context.find_root().obj["verbose"])
    set_up_logging(load_settings(), service="cli", level="DEBUG" if verbose else "WARNING")


def local_user(container: Container) -> str:
    """Return the id of the user that commands on this machine act as: its owner."""
    from aitrader.user_ids import owner_of

    return owner_of(container.find_user(), container.ensure_owner()).id


def user_named(container: Container, name: str) -> User:
    """Return a user by username or id; the owner is made when it is named before the first start.

    Raises:
        NotFound: there is none; the message says how to make one.
    """
    from aitrader.user_ids import owner_of
    from domain.identity.users import OWNER

    find = container.find_user()
    return owner_of(find, container.ensure_owner()) if name == OWNER else find(name)


def actor() -> str:
    """Return who runs this command, for the audit log."""
    import getpass
    import os

    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a container may run under a number that has no name
        return f"cli:uid {os.getuid()}"


def client() -> Container:
    """Return the container of a command that submits and reads."""
    from aitrader.bootstrap import client_application

    quiet_logging()
    return client_application()


def local_container() -> Container:
    """Return the container of a command that needs no database."""
    from aitrader.bootstrap import build
    from aitrader.settings import load_settings

    quiet_logging()
    return build(load_settings())


def bar_store() -> BarStore:
    """Return the market data store of the settings."""
    store: BarStore = local_container().bars()
    return store


def confirm(text: str, word: str, yes: bool) -> None:
    """Have a person type a word before something that must not happen by accident.

    Raises:
        Invalid: they typed something else, or there is no terminal to ask at.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid(f"{text}; add --yes to do it without a terminal", code="not_confirmed")
    if str(click.prompt(f"{text}. Type {word} to go on", err=True)).strip() != word:
        raise Invalid("not confirmed; nothing was done", code="not_confirmed")


def amount(text: str) -> Decimal:
    """Return a decimal number that was typed.

    Raises:
        Invalid: it is none.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Invalid(f"{text!r} is not a number; expected such as 1500.05", code="invalid_number")
    return number


def named(pairs: Sequence[str]) -> dict[str, str]:
    """Return what was given as ``name=value``.

    Raises:
        Invalid: a pair has no equals sign.
    """
    for pair in pairs:
        if "=" not in pair:
            raise Invalid(f"{pair!r} is not name=value", code="invalid_option")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def plugin_host() -> PluginHost:
    """Return the plugins of this installation; needs no database."""
    host: PluginHost = local_container().plugin_host()
    return host


def settings_named(pairs: Sequence[str]) -> dict[str, Any]:
    """Return options given as ``name=value``; values may be JSON.

    Raises:
        Invalid: a pair has no equals sign, or looks like JSON and is none.
    """
    return {name: _setting(text) for name, text in named(pairs).items()}


def _setting(text: str) -> Any:
    """Return JSON where it is some, such as an object; numbers stay text, exact."""
    import orjson

    if text[:1] in "{[" or text in ("true", "false", "null"):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Invalid(f"{text!r} is not JSON", code="invalid_option") from None
    return int(text) if text.isascii() and text.isdigit() else text


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
account_option = click.option("--account", metavar="ID", help="Only this account; see: aitrader accounts list")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
