"""Errors as RFC 9457 problems: the one place where an error becomes a status."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from quart import Quart, Response
from werkzeug.exceptions import HTTPException

from adapters.http.context import request_id, request_path
from adapters.http.json_body import dump_json
from domain.common.errors import (
    AITraderError,
    Conflict,
    Denied,
    Invalid,
    Malformed,
    NotFound,
    TooLarge,
    Unavailable,
)
from domain.identity.model import TooManyAttempts, Unauthenticated

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1

_STATUS: tuple[tuple[type[AITraderError], int], ...] = (
    (Malformed, 400),
    (Unauthenticated, 401),
    (Denied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooLarge, 413),
    (Invalid, 422),
    (TooManyAttempts, 429),
    (Unavailable, 503),
)
_TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    413: "Content too large",
    414: "URI too long",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    422: "Unprocessable content",
    428: "Precondition required",
    429: "Too many requests",
    431: "Request header fields too large",
    500: "Internal server error",
    503: "Service unavailable",
}
_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
}
_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not know this method",
    408: "the request body took too long",
    413: "the request body is larger than the limit",
}
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate", "Content-Range")


class Refused(AITraderError):
    """A refusal that only means something over HTTP."""

    def __init__(self, status: int, detail: str, *, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.headers = dict(headers or {})


def status_of(error: AITraderError) -> int:
    """Return the HTTP status of an error's category."""
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(status: int, code: str, detail: str, errors: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Return the body of a problem response to the current request."""
    return {
        "type": f"/problems/{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": quote(request_path.get(), safe="/:@!$&'()*+,;=~-._"),
        "code": code,
        "request_id": request_id.get(),
        "errors": [{"field": error.field, "message": error.message} for error in errors],
    }


def problem_of(error: AITraderError) -> dict[str, Any]:
    """Return the body of the problem that an error is; one of ours without a category says nothing."""
    status = status_of(error)
    if status == 500:
        return problem(500, "internal_error", _internal())
    return problem(status, error.code, error.detail, error.errors)


def headers_of(error: AITraderError) -> dict[str, str]:
    """Return the headers that go with an error."""
    if isinstance(error, Refused):
        return error.headers
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyAttempts):
        return {"Retry-After": str(error.retry_after_s)}
    return {"Retry-After": str(RETRY_AFTER_S)} if status_of(error) == 503 else {}


def install(app: Quart) -> None:
    """Answer every error of ``app`` with a problem."""
    app.register_error_handler(AITraderError, _domain)
    app.register_error_handler(HTTPException, _framework)
    app.register_error_handler(Exception, _unexpected)


async def _domain(error: AITraderError) -> Response:
    body = problem_of(error)
    if body["status"] == 500:
        log.error("request failed", exc_info=error, extra={"request_id": request_id.get()})
    response = _response(body)
    response.headers.update(headers_of(error))
    return response


async def _framework(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        return await _unexpected(error)
    detail = _DETAILS.get(status) or error.description or "the request was refused"
    response = _response(problem(status, _CODES.get(status, "bad_request"), detail))
    for name, value in error.get_headers():
        if name in _KEPT_HEADERS:
            response.headers[name] = value
    return response


async def _unexpected(error: Exception) -> Response:
    log.error("request failed", exc_info=error, extra={"request_id": request_id.get()})
    return _response(problem(500, "internal_error", _internal()))


def _internal() -> str:
    return "something went wrong here; the log has the details under the request id"


def _response(body: dict[str, Any]) -> Response:
    response = Response(dump_json(body), status=body["status"], content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response
