"""``aitrader token``: what programs prove themselves with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import actor, client, json_option, print_json, print_table, say, user_named

if TYPE_CHECKING:
    from domain.identity.model import ApiToken
    from domain.identity.tokens import Issued


@click.group(epilog="Example: aitrader token create --user owner --name laptop --scopes jobs:read,jobs:write")
def token() -> None:
    """Create, list, revoke and rotate API tokens."""


@token.command(
    epilog="""\b
    Example:
      TOKEN=$(aitrader token create --user owner --name me --scopes jobs:read,jobs:write --days 30)
      curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/jobs
    """
)
@click.option("--user", "username", required=True, help="Whose it is: a username or id.")
@click.option("--name", required=True, help="What it is for, in your words.")
@click.option("--scopes", required=True, help="What it may do, separated by commas, such as jobs:read,jobs:write.")
@click.option("--days", type=click.IntRange(1, 90), default=30, show_default=True, help="Until it expires.")
@json_option
def create(username: str, name: str, scopes: str, days: int, as_json: bool) -> None:
    """Create a token and print it, this once: only its hash is kept."""
    from domain.identity.model import parse_scopes

    wanted = parse_scopes([scope.strip() for scope in scopes.split(",") if scope.strip()])
    container = client()
    user = user_named(container, username)
    _print_issued(container.issue_token()(user, name, wanted, days=days, actor=actor()), as_json)


def _print_issued(issued: Issued, as_json: bool) -> None:
    if as_json:
        print_json({**token_view(issued.token), "token": issued.text})
        return
    from domain.common.time import rfc3339

    click.echo(issued.text)
    say(
        f"token {issued.token.id} ({issued.token.name}) expires {rfc3339(issued.token.expires_at)}; it is not shown "
        "again. Send it as: Authorization: Bearer TOKEN"
    )


@token.command("list", epilog="Example: aitrader token list --user ann --json")
@click.option("--user", "username", help="Only tokens of this user.")
@json_option
def list_tokens(username: str | None, as_json: bool) -> None:
    """List tokens, newest first."""
    from domain.common.time import rfc3339

    container = client()
    user_id = None if username is None else user_named(container, username).id
    tokens = container.list_tokens()(user_id)
    if as_json:
        print_json({"items": [token_view(item) for item in tokens]})
        return
    names = {user.id: user.username for user in container.find_user().all()}
    now = container.clock().now_ms()
    rows = [
        [
            item.id,
            names.get(item.user_id, item.user_id),
            item.name,
            ",".join(sorted(item.scopes)),
            _state(item, now),
            rfc3339(item.expires_at),
            "never" if item.last_used_at is None else rfc3339(item.last_used_at),
        ]
        for item in tokens
    ]
    print_table(["id", "user", "name", "scopes", "state", "expires", "last used"], rows)


def _state(item: ApiToken, now: int) -> str:
    if item.revoked_at is not None:
        return "revoked"
    return "expired" if item.expires_at <= now else "active"


@token.command(epilog="Example: aitrader token revoke 0190a4f2-…")
@click.argument("token_id")
@json_option
def revoke(token_id: str, as_json: bool) -> None:
    """End a token: within 5 seconds, also on open connections."""
    from domain.common.ids import parse_id

    ended = client().revoke_token()(parse_id(token_id), None, actor=actor())
    if as_json:
        print_json(token_view(ended))
    else:
        say(f"token {ended.id} ({ended.name}) is revoked")


@token.command(epilog="Example: aitrader token rotate 0190a4f2-…")
@click.argument("token_id")
@json_option
def rotate(token_id: str, as_json: bool) -> None:
    """Replace a token by a new one and print it, this once; the old one goes on for a day."""
    from domain.common.ids import parse_id

    _print_issued(client().rotate_token()(parse_id(token_id), None, actor=actor()), as_json)


def token_view(item: ApiToken) -> dict[str, Any]:
    """Return a token as JSON: its public prefix, never its text or hash."""
    from domain.common.time import rfc3339

    def moment(ms: int | None) -> str | None:
        return None if ms is None else rfc3339(ms)

    return {
        "id": item.id,
        "user_id": item.user_id,
        "name": item.name,
        "prefix": item.prefix,
        "scopes": sorted(item.scopes),
        "created_at": moment(item.created_at),
        "expires_at": moment(item.expires_at),
        "last_used_at": moment(item.last_used_at),
        "revoked_at": moment(item.revoked_at),
        "rotated_from": item.rotated_from,
    }
