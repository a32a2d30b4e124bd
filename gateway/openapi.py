"""The OpenAPI 3.1 document, made of the declarations that route and validate."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from veza.gateway import wire
from veza.gateway.endpoints import Access, Answer, Endpoint, HeaderField

Json = dict[str, Any]
_REFERENCES: Final = "#/components/schemas/{model}"
_SECURITY: Final[dict[Access, list[Json]]] = {
    Access.PUBLIC: [],
    Access.OPTIONAL: [{}, {"bearer": []}, {"cookie": []}],
    Access.SIGNED_IN: [{"bearer": []}, {"cookie": []}],
    Access.METRICS: [{}, {"bearer": []}, {"cookie": []}],
}
_DESCRIPTIONS: Final = {
    Access.OPTIONAL: "Public; shows more to those who sign in.",
    Access.METRICS: "Local scrapers need nothing; others the permission `metrics:read`.",
}


def document(endpoints: Iterable[Endpoint], version: str) -> bytes:
    """Return the document of these endpoints as JSON."""
    declared = tuple(endpoints)
    references, schemas = _schemas(declared)
    paths: Json = {}
    for endpoint in declared:
        operation = _operation(endpoint, references)
        paths.setdefault(endpoint.template, {})[endpoint.method.lower()] = operation
    paths[wire.WEBSOCKET_PATH] = {"get": _websocket_operation()}
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Veza",
                "version": version,
                "description": "A real-time place for people who make music.",
                "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "responses": {"Problem": _problem_response(references)},
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                    "cookie": {"type": "apiKey", "in": "cookie", "name": "veza_session"},
                },
            },
        },
        option=orjson.OPT_SORT_KEYS,
    )


_IF_MATCH: Final[Json] = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what is changed, its `version` alone in quotes, or `*`.",
    "schema": {"type": "string", "examples": ['"12"', "*"]},
}


References = dict[tuple[type[BaseModel], JsonSchemaMode], Json]


def _schemas(endpoints: tuple[Endpoint, ...]) -> tuple[References, Json]:
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(wire.Problem, "serialization")]
    for endpoint in endpoints:
        models += [(each.view, "serialization") for each in endpoint.answers.values() if each.view]
        taken = (endpoint.body, endpoint.query, endpoint.upload)
        models += [(model, "validation") for model in taken if model]
    unique = tuple(dict.fromkeys(models))
    by_model, definitions = models_json_schema(unique, ref_template=_REFERENCES)
    references = {model: by_model[model] for model in unique}
    return references, definitions["$defs"]


def _operation(endpoint: Endpoint, references: References) -> Json:
    operation: Json = {
        "operationId": endpoint.operation_id,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "security": _SECURITY[endpoint.access],
        "parameters": [
            *_path_parameters(endpoint),
            *_query_parameters(endpoint),
            *([_IF_MATCH] if endpoint.takes_version else ()),
            *(_header_parameter(each) for each in endpoint.headers),
        ],
        "responses": {
            **{str(code): _response(each, references) for code, each in endpoint.answers.items()},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if endpoint.needs is not None:
        operation["description"] = f"Needs the permission `{endpoint.needs}`."
        operation["x-permission"] = endpoint.needs.value
    elif endpoint.access in _DESCRIPTIONS:
        operation["description"] = _DESCRIPTIONS[endpoint.access]
    if endpoint.has_validator:
        operation["responses"].setdefault("304", {"description": "The client has it already"})
    body = _request_body(endpoint, references)
    if body:
        operation["requestBody"] = body
    return operation


def _path_parameters(endpoint: Endpoint) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": TypeAdapter(kind).json_schema(),
        }
        for name, kind in endpoint.path_types.items()
    ]


def _query_parameters(endpoint: Endpoint) -> list[Json]:
    if endpoint.query is None:
        return []
    schema = endpoint.query.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": _in_place(_without_null(each), schema.get("$defs", {})),
        }
        for name, each in schema["properties"].items()
    ]


def _header_parameter(field: HeaderField) -> Json:
    return {
        "name": field.name,
        "in": "header",
        "required": field.is_required,
        "description": field.text,
        "schema": {"type": "string"},
    }


def _without_null(schema: Json) -> Json:
    """Return the schema of a parameter that is left out where a model has None."""
    kinds = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else schema


def _in_place(schema: Json, definitions: Mapping[str, Json]) -> Json:
    """Return a schema where it is used, if it refers to one beside its model."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return definitions.get(name, schema)


def _request_body(endpoint: Endpoint, references: References) -> Json | None:
    if endpoint.upload is not None:
        return {"required": True, "content": {"multipart/form-data": {"schema": _form(endpoint)}}}
    if endpoint.streams is not None:
        schema = {"type": "string", "contentMediaType": endpoint.streams}
        return {"required": False, "content": {endpoint.streams: {"schema": schema}}}
    if endpoint.body is None:
        return None
    schema = references[endpoint.body, "validation"]
    return {
        "required": endpoint.needs_body,
        "content": {"application/json": {"schema": schema}},
    }


def _form(endpoint: Endpoint) -> Json:
    schema = endpoint.upload.model_json_schema() if endpoint.upload else {}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {
        "type": "object",
        "description": "The fields come in this order; the file is last.",
        "properties": {**schema.get("properties", {}), "file": file},
        "required": [*schema.get("required", ()), "file"],
    }


def _response(answer: Answer, references: References) -> Json:
    if answer.view is not None:
        schema = references[answer.view, "serialization"]
        return {"description": answer.text, "content": {"application/json": {"schema": schema}}}
    if answer.content_type is None:
        return {"description": answer.text}
    return {"description": answer.text, "content": {answer.content_type: {}}}


def _problem_response(references: References) -> Json:
    schema = references[wire.Problem, "serialization"]
    return {
        "description": "What went wrong; `code` says it to programs.",
        "content": {"application/problem+json": {"schema": schema}},
    }


def _websocket_operation() -> Json:
    return {
        "operationId": "openWebsocket",
        "tags": ["realtime"],
        "summary": "Open the WebSocket; /asyncapi.json has its frames.",
        "security": [{}, {"cookie": []}],
        "parameters": [
            {"name": "v", "in": "query", "required": False, "schema": {"const": "1"}},
        ],
        "responses": {
            str(HTTPStatus.SWITCHING_PROTOCOLS.value): {"description": "WebSocket from here on"},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
