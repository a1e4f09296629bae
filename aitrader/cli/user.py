"""``aitrader user``: who may log in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import actor, client, json_option, local_user, print_json, print_table, say, user_named
from domain.common.errors import Invalid
from domain.identity.model import Role

if TYPE_CHECKING:
    from aitrader.container import Container
    from domain.identity.model import User

_ROLES = click.Choice([role.value for role in Role])
_stdin_option = click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")


@click.group(epilog="Example: aitrader user create ann --role trader")
def user() -> None:
    """Create, list, disable and enable users; set passwords."""


@user.command(
    epilog="""\b
    Examples:
      aitrader user create ann --role trader
      printf '%s' "$PASSWORD" | aitrader user create bob --role viewer --password-stdin
    """
)
@click.argument("name")
@click.option("--role", type=_ROLES, default="trader", show_default=True, help="What the user may do at most.")
@click.option("--email", help="Where to reach the user.")
@_stdin_option
@json_option
def create(name: str, role: str, email: str | None, password_stdin: bool, as_json: bool) -> None:
    """Create a user. On a terminal, asks for a password; without one the user has only tokens."""
    password = _password(password_stdin, optional=True)
    made = _container().create_user()(name, Role(role), password=password, actor=actor(), email=email)
    if as_json:
        print_json(user_view(made))
        return
    click.echo(made.id)
    way = "with the password" if password else f"only with tokens: aitrader token create --user {made.username} …"
    say(f"{made.username} ({made.role}) can use AITrader {way}")


@user.command("list", epilog="Example: aitrader user list --json")
@json_option
def list_users(as_json: bool) -> None:
    """List users."""
    users = _container().find_user().all()
    if as_json:
        print_json({"items": [user_view(item) for item in users]})
        return
    print_table(
        ["username", "role", "state", "password", "e-mail", "id"],
        [
            [
                item.username,
                item.role.value,
                "active" if item.disabled_at is None else "disabled",
                "set" if item.password_hash else "none",
                item.email or "",
                item.id,
            ]
            for item in users
        ],
    )


@user.command(epilog="Example: aitrader user disable ann")
@click.argument("name")
@json_option
def disable(name: str, as_json: bool) -> None:
    """Shut a user out: ends all sessions and tokens, within 5 seconds also on open connections."""
    _set_disabled(name, True, as_json)


@user.command(epilog="Example: aitrader user enable ann")
@click.argument("name")
@json_option
def enable(name: str, as_json: bool) -> None:
    """Let a disabled user in again. Tokens made before stay revoked."""
    _set_disabled(name, False, as_json)


def _set_disabled(name: str, disabled: bool, as_json: bool) -> None:
    container = _container()
    changed = container.change_user().set_disabled(user_named(container, name).id, disabled, actor=actor())
    _show(changed, as_json, "is disabled" if disabled else "is enabled")


@user.command(epilog="Example: aitrader user password owner")
@click.argument("name")
@_stdin_option
@json_option
def password(name: str, password_stdin: bool, as_json: bool) -> None:
    """Set a user's password. Ends all sessions and tokens of the user."""
    container = _container()
    found = user_named(container, name)
    new = _password(password_stdin, optional=False)
    assert new is not None
    changed = container.change_user().set_password(found.id, new, actor=actor())
    _show(changed, as_json, "has a new password; sessions and tokens made before are revoked")


def _show(changed: User, as_json: bool, text: str) -> None:
    if as_json:
        print_json(user_view(changed))
    else:
        say(f"{changed.username} {text}")


def _password(from_stdin: bool, *, optional: bool) -> str | None:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not _on_terminal():
        if optional:
            return None
        raise Invalid("there is no terminal to ask for a password; use --password-stdin", code="no_password")
    text = "Password (empty: tokens only)" if optional else "Password"
    default = "" if optional else None
    typed = str(
        click.prompt(text, hide_input=True, confirmation_prompt=True, default=default, show_default=False, err=True)
    )
    return typed or None


def _container() -> Container:
    container = client()
    local_user(container)  # there is an owner before there is anyone else
    return container


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def user_view(item: User) -> dict[str, Any]:
    """Return a user as JSON. Whether a password is set, never its hash."""
    from domain.common.time import rfc3339

    return {
        "id": item.id,
        "username": item.username,
        "email": item.email,
        "role": item.role.value,
        "has_password": item.password_hash is not None,
        "disabled_at": None if item.disabled_at is None else rfc3339(item.disabled_at),
        "created_at": rfc3339(item.created_at),
    }
