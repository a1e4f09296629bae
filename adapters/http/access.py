"""Who may use a route. Each route declares it once; it is enforced, and documented, from there."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from domain.common.errors import Denied
from domain.identity.model import Principal, Scope

_ATTRIBUTE = "_aitrader_access"


class Access(StrEnum):
    """Access that is no scope."""

    PROBE = "probe"
    """Anyone, many times: probes and static files. Nothing is learnt of who asks."""
    PUBLIC = "public"
    """Anyone; who asks is known if they say so."""
    ANY = "any"
    """Any valid credential."""
    LOCAL_METRICS = "local_metrics"
    """Programs of this machine, and whoever has the scope ``metrics:read``."""
    OWN = "own"
    """A browser session, or a token that may do what administrators do."""


Rule = Access | Scope


def declare(function: Callable[..., Any], rule: Rule) -> None:
    """Say who may use a route."""
    setattr(function, _ATTRIBUTE, rule)


def rule_of(function: Callable[..., Any] | None) -> Rule | None:
    """Return who may use a route; None when it does not say, so nobody may."""
    rule: Rule | None = getattr(function, _ATTRIBUTE, None)
    return rule


def is_open(rule: Rule | None) -> bool:
    """Return whether a route needs no credentials."""
    return rule in (Access.PROBE, Access.PUBLIC)


def allows(rule: Rule | None, principal: Principal) -> bool:
    """Return whether someone may use a route."""
    if isinstance(rule, Scope):
        return rule in principal.scopes
    if rule is Access.LOCAL_METRICS:
        return Scope.METRICS_READ in principal.scopes
    if rule is Access.OWN:
        return principal.is_session or Scope.ADMIN in principal.scopes
    return rule is not None


def require(rule: Rule | None, principal: Principal) -> None:
    """Check that someone may use a route.

    Raises:
        Denied: they may not; says which scope is missing.
    """
    if not allows(rule, principal):
        raise insufficient(scope_of(rule))


def scope_of(rule: Rule | None) -> str:
    """Return the scope that a token needs for a rule."""
    if isinstance(rule, Scope):
        return rule.value
    return Scope.METRICS_READ.value if rule is Access.LOCAL_METRICS else Scope.ADMIN.value


def insufficient(scope: str) -> Denied:
    """Return the refusal of someone who lacks a scope."""
    return Denied(f"this needs the scope {scope}", code="insufficient_scope")
