"""The OpenAPI 3.1 document: quart-schema reads the routes, this makes the result exact and stable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from pydantic import BaseModel
from quart import Quart
from quart_schema import QuartSchema
from quart_schema.documentation import document_headers, document_querystring, document_request, document_response
from quart_schema.openapi import Info, OpenAPIProvider, Tag
from werkzeug.routing.rules import Rule as RoutingRule

from adapters.http.access import Access, Rule, declare, is_open, scope_of
from adapters.http.identity import CSRF_HEADER
from adapters.http.schemas import Problem

F = TypeVar("F", bound=Callable[..., Any])
Schema = dict[str, Any]

_EXTRA = "_aitrader_operation"
_PROBLEM_REF = {"$ref": "#/components/responses/Problem"}
_PATH_PARAMETERS: dict[str, Schema] = {
    "job_id": {
        "description": "id of the job",
        "schema": {"type": "string", "format": "uuid"},
        "example": "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f10",
    },
    "name": {"description": "name of the artifact", "schema": {"type": "string"}, "example": "equity.csv"},
    "token_id": {
        "description": "id of the token",
        "schema": {"type": "string", "format": "uuid"},
        "example": "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f11",
    },
    "order_id": {
        "description": "id of the order",
        "schema": {"type": "string", "format": "uuid"},
        "example": "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13",
    },
    "account": {"description": "id of the account", "schema": {"type": "string"}, "example": "paper"},
    "user_id": {
        "description": "id of the user",
        "schema": {"type": "string", "format": "uuid"},
        "example": "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f12",
    },
}
_SECURITY_SCHEMES: Schema = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API token"},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": "with a session, for every change: the csrf_token of GET /auth/session; Origin must be ours",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "aitrader",
        "description": "the session of a browser; over TLS the cookie is named __Host-aitrader",
    },
}
_SAFE_METHODS = frozenset({"get", "head", "options", "trace"})
_HEADER_NAMES = {"etag": "ETag"}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route is, beyond its docstring: who may use it, and what the document says of it.

    Args:
        access: a scope, or what else lets one in; enforced before the route is called.
        hidden: the document leaves the route out.
        responses: model by status; ``media`` instead gives {status: {media type: schema}} for what is no JSON model.
        problems: statuses of problem responses worth listing; any other is the ``default``.
        problem_notes: description by status.
    """

    tag: str
    access: Rule
    responses: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    media: Mapping[int, Mapping[str, Schema]] = field(default_factory=dict)
    request: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: type[BaseModel] | None = None
    response_headers: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    notes: Mapping[int, str] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    hidden: bool = False


def documented(operation: Operation) -> Callable[[F], F]:
    """Say who may use a route, and attach its documentation."""

    def decorate(function: F) -> F:
        declare(function, operation.access)
        if operation.hidden:
            return function
        setattr(function, _EXTRA, operation)
        if operation.query is not None:
            document_querystring(cast("Any", operation.query))(function)
        if operation.headers is not None:
            document_headers(cast("Any", operation.headers))(function)
        if operation.request is not None:
            document_request(cast("Any", operation.request))(function)
        for status, model in operation.responses.items():
            headers = cast("Any", operation.response_headers.get(status))
            document_response(cast("Any", model), status, headers)(function)
        return function

    return decorate


class Provider(OpenAPIProvider):
    """Named component schemas, sorted output, string statuses, headers where they belong."""

    def generate_rules(self) -> Iterable[RoutingRule]:
        """Return the documented rules, by path."""
        rules = [rule for rule in self._app.url_map.iter_rules() if self._operation(rule) is not None]
        return sorted(rules, key=lambda rule: (rule.rule, sorted(rule.methods or ())))

    def generate_methods(self, rule: RoutingRule) -> Iterable[str]:
        """Return the methods of a rule, sorted."""
        return sorted(super().generate_methods(rule))

    def operation_id(self, method: str, path: str, func: Callable[..., Any]) -> str:
        """Return an id made from the path, so that no two routes share one."""
        words = [part.strip("{}").replace("-", "_") for part in path.split("/") if part]
        return "_".join([method.lower(), *(words or ["root"])])

    def build_path_parameter(self, name: str, converter: Any) -> Schema:
        """Return a path parameter with what we know of it."""
        return {**super().build_path_parameter(name, converter), **_PATH_PARAMETERS.get(name, {})}

    def build_querystring_parameters(self, model: Any) -> tuple[list[Schema], Schema]:
        """Return query parameters; ``null`` cannot be written in a query, so it is no part of their type."""
        parameters, definitions = super().build_querystring_parameters(model)
        return [_without_null(parameter) for parameter in parameters], definitions

    def build_headers_parameters(self, model: Any) -> tuple[list[Schema], Schema]:
        """Return header parameters, spelled as headers are."""
        parameters, definitions = super().build_headers_parameters(model)
        for parameter in parameters:
            parameter["name"] = _header_name(parameter["name"])
        return [_without_null(parameter) for parameter in parameters], definitions

    def build_paths(self, rule: RoutingRule) -> tuple[Schema, Schema]:
        """Return the path object of a rule and the component schemas that it needs."""
        paths, components = super().build_paths(rule)
        operation = self._operation(rule)
        assert operation is not None
        for methods in paths.values():
            for method, spec in methods.items():
                _finish(spec, operation, components)
                spec["security"] = _security(method, operation.access)
        return paths, components

    def schema(self) -> Schema:
        """Return the whole document."""
        found = super().schema()
        _, problem = _split(Problem)
        schemas = {**found["components"]["schemas"], **problem}
        found["paths"] = dict(sorted(found["paths"].items()))
        found["components"] = {
            "schemas": {name: _clean(schemas[name]) for name in sorted(schemas)},
            "responses": {
                "Problem": {
                    "description": "What went wrong; `code` says it to a machine.",
                    "content": {"application/problem+json": {"schema": _ref("Problem")}},
                }
            },
            "securitySchemes": _SECURITY_SCHEMES,
        }
        return found

    def _operation(self, rule: RoutingRule) -> Operation | None:
        return getattr(self._app.view_functions.get(rule.endpoint), _EXTRA, None)


def build(app: Quart, *, version: str, description: str, tags: Mapping[str, str], example: Schema) -> Schema:
    """Return the document of ``app``. ``example`` is a body for ``POST /jobs``."""
    # The extension is only described, not installed: installing it would wrap every response and socket.
    app.config.setdefault("QUART_SCHEMA_CONVERT_CASING", False)
    app.config.setdefault("QUART_SCHEMA_CONVERSION_PREFERENCE", "pydantic")
    extension = QuartSchema(
        info=Info(title="AITrader", version=version, description=description),
        tags=[Tag(name=name, description=text) for name, text in sorted(tags.items())],
    )
    document: Schema = Provider(app, extension).schema()
    document["tags"] = [{"name": name, "description": text} for name, text in sorted(tags.items())]
    body = document["paths"].get("/jobs", {}).get("post", {}).get("requestBody")
    if body is not None:
        body["content"]["application/json"]["example"] = example
    return document


def _finish(spec: Schema, operation: Operation, components: Schema) -> None:
    spec["tags"] = [operation.tag]
    spec["description"] = spec.get("description", "").strip() or spec.get("summary", "")
    responses = {str(status): response for status, response in spec["responses"].items()}
    for status, response in responses.items():
        _hoist(response["content"]["application/json"], components)
        headers = response["content"].pop("headers", {})
        if headers:
            response["headers"] = {_header_name(name): _header(value) for name, value in headers.items()}
        response["description"] = operation.notes.get(int(status), response["description"] or "Done.")
    for number, media in operation.media.items():
        target = responses.setdefault(str(number), {"description": operation.notes.get(number, "Done.")})
        target.setdefault("content", {}).update({kind: {"schema": value} for kind, value in media.items()})
        model = operation.response_headers.get(number)
        if model is not None:
            _, parts = _split(model)
            found = parts[model.__name__]["properties"]
            target["headers"] = {_header_name(name): _header({"schema": value}) for name, value in found.items()}
        if not target["content"]:
            del target["content"]
    if "503" in responses:  # the answer of the route itself; an overloaded server answers with a problem
        responses["503"]["content"]["application/problem+json"] = {"schema": _ref("Problem")}
    refusals = (429,) if is_open(operation.access) else (401, 403, 429)
    responses.update({str(status): _PROBLEM_REF for status in (*operation.problems, *refusals)})
    responses["default"] = _PROBLEM_REF
    spec["responses"] = dict(sorted(responses.items()))
    if "requestBody" in spec:
        spec["requestBody"]["required"] = True
        _hoist(spec["requestBody"]["content"]["application/json"], components)
    if not spec["parameters"]:
        del spec["parameters"]


def _security(method: str, rule: Rule) -> list[Schema]:
    if is_open(rule):
        return []
    roles = [] if rule is Access.ANY else [scope_of(rule)]
    session = {"session": roles} if method.lower() in _SAFE_METHODS else {"session": roles, "csrf": []}
    return [{"bearer": roles}, session]


def _hoist(content: Schema, components: Schema) -> None:
    schema = content["schema"]
    name = schema.get("title")
    if name and schema.get("type") == "object":
        components[name] = schema
        content["schema"] = _ref(name)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _split(model: type[BaseModel]) -> tuple[str, Schema]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return model.__name__, {**schema.pop("$defs", {}), model.__name__: schema}


def _without_null(parameter: Schema) -> Schema:
    schema = dict(parameter["schema"])
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema = {**kinds[0], **schema}
    if schema.get("default", 0) is None:
        del schema["default"]
    schema.pop("title", None)
    return {**parameter, "schema": schema}


def _header(value: Schema) -> Schema:
    schema = {key: part for key, part in value["schema"].items() if key != "title"}
    description = schema.pop("description", None)
    return {"required": True, "schema": schema} | ({"description": description} if description else {})


def _header_name(name: str) -> str:
    plain = name.lower().replace("_", "-")
    return _HEADER_NAMES.get(plain, plain.title())


def _clean(schema: Any) -> Any:
    """Drop the titles that pydantic gives to every property: they only repeat the name."""
    if isinstance(schema, list):
        return [_clean(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned = {key: _clean(value) for key, value in schema.items()}
    if isinstance(cleaned.get("properties"), dict):
        for part in cleaned["properties"].values():
            if isinstance(part, dict):
                part.pop("title", None)
    return cleaned
