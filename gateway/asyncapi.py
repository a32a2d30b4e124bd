"""The AsyncAPI 3.0 document of the WebSocket, made of the models that decode and of the catalogue.

What clients send is described by the models that check it (`CLIENT_FRAMES`), what the server sends by
`wire/frames.py`, which the tests hold against every frame that is made.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from veza.config.settings import Settings
from veza.gateway import wire
from veza.gateway.errors import CLOSE_MEANINGS, CloseCode, ProblemCode
from veza.gateway.identity import COOKIE
from veza.gateway.websocket import VERSION
from veza.gateway.wire.frame_views import RoomEventView
from veza.gateway.wire.frames import (
    ANSWERS,
    SERVER_FRAMES,
    Envelope,
    FrameShape,
)
from veza.gateway.wire.incoming import MAX_FRAME_ID_CHARS

Json = dict[str, Any]
References = dict[tuple[type[BaseModel], JsonSchemaMode], Json]

_CHANNEL: Final = "websocket"
_SCHEMAS: Final = "#/components/schemas/{model}"
_FRAME_ID: Final[Json] = {"type": "string", "minLength": 1, "maxLength": MAX_FRAME_ID_CHARS}
_BESIDE: Final[dict[Envelope, Json]] = {
    Envelope.PUSH: {},
    Envelope.ANSWER: {"id": _FRAME_ID},
    Envelope.ROOM: {"room": {"type": "string", "format": "uuid"}},
    Envelope.ROOM_EVENT: {
        "room": {"type": "string", "format": "uuid"},
        "seq": {"type": "integer", "minimum": 1},
        "at": {"type": "string", "format": "date-time"},
    },
}
_DESCRIPTION: Final = """\
Text frames of one JSON object each: `t` is the type, `d` what it says. A frame of the client with an
`id` gets exactly one answer with the same `id`; `ack` of a durable action means that it is committed.
Durable events of a room carry `seq`, strictly +1: a gap means resync. Messages marked `x-volatile` carry
none and may be dropped. Clients ignore types and fields that they do not know; the server refuses
fields that it does not know. `docs/protocol.md` says it all in prose."""


@lru_cache(maxsize=2)
def document(address: str, version: str) -> bytes:
    """Return the document of the server at an address as JSON; it takes 30 ms to make."""
    references, schemas = _schemas()
    messages = {
        **{f"fromClient.{kind}": _client_message(kind, references) for kind in wire.CLIENT_FRAMES},
        **dict(_server_messages(references)),
    }
    # A page of history holds events as they were told: any of the frames that carry a `seq`.
    schemas[RoomEventView.__name__] = {
        "description": schemas[RoomEventView.__name__]["description"],
        "oneOf": [
            {"$ref": f"#/components/messages/fromServer.{kind}/payload"}
            for kind, shape in SERVER_FRAMES.items()
            if shape.envelope is Envelope.ROOM_EVENT
        ],
    }
    return orjson.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Veza",
                "version": version,
                "description": _DESCRIPTION,
                "license": {"name": "AGPL-3.0-or-later"},
            },
            "defaultContentType": "application/json",
            "servers": {"node": _server(address)},
            "channels": {_CHANNEL: _channel(tuple(messages))},
            "operations": dict(_operations()),
            "components": {
                "messages": messages,
                "schemas": schemas,
                "securitySchemes": _SECURITY,
            },
        },
        option=orjson.OPT_SORT_KEYS,
    )


_SECURITY: Final[Json] = {
    "cookie": {
        "type": "httpApiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The session of a browser, on a page of this server or a configured origin.",
    },
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, or a ticket of `POST /api/v1/realtime/ticket`: in the"
        " first frame, `auth`, never in the address.",
    },
}


def address_of(settings: Settings) -> str:
    """Return where clients reach this server."""
    return str(settings.public_url or f"http://localhost:{settings.port}")


def _server(address: str) -> Json:
    url = urlsplit(address)
    return {
        "host": url.netloc,
        "protocol": "wss" if url.scheme == "https" else "ws",
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _SECURITY],
    }


def _schemas() -> tuple[References, Json]:
    shapes = [shape.d for shape in SERVER_FRAMES.values()]
    acks = [view for answer in ANSWERS.values() for view in answer.acks]
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in wire.CLIENT_FRAMES.values()),
        *((view, "serialization") for view in (*shapes, *acks)),
    ]
    unique = tuple(dict.fromkeys(models))
    by_model, definitions = models_json_schema(unique, ref_template=_SCHEMAS)
    return {model: by_model[model] for model in unique}, definitions["$defs"]


# --- messages ---


def _client_message(kind: str, references: References) -> Json:
    model = wire.CLIENT_FRAMES[kind]
    needs_body = any(field.is_required() for field in model.model_fields.values())
    payload = {
        "type": "object",
        "properties": {
            "t": {"const": kind},
            "id": _FRAME_ID,
            "d": references[model, "validation"],
        },
        "required": ["t", "d"] if needs_body else ["t"],
    }
    return _message(kind, payload, _summary(model), has_id=True)


def _server_messages(references: References) -> Iterator[tuple[str, Json]]:
    for kind, shape in SERVER_FRAMES.items():
        yield f"fromServer.{kind}", _server_message(kind, shape, references)
    for kind, answer in ANSWERS.items():
        for name, view in zip(_acks(kind), answer.acks, strict=True):
            shape = FrameShape(d=view, envelope=Envelope.ANSWER)
            message = _server_message(wire.ServerFrame.ACK, shape, references)
            yield name, {**message, "title": f"ack of {kind}"}


def _acks(kind: str) -> list[str]:
    """Name what a client's frame may be acked with: one message for each shape."""
    acks = ANSWERS[kind].acks
    return [f"fromServer.ack.{kind}" + (f".{n}" if n else "") for n in range(len(acks))]


def _server_message(kind: str, shape: FrameShape, references: References) -> Json:
    beside = _BESIDE[shape.envelope]
    required = ["t", "d"] if shape.envelope is Envelope.ANSWER else ["t", "d", *beside]
    payload = {
        "type": "object",
        "properties": {"t": {"const": kind}, "d": references[shape.d, "serialization"], **beside},
        "required": required,
    }
    message = _message(kind, payload, _summary(shape.d), has_id=shape.envelope is Envelope.ANSWER)
    if shape.is_volatile:
        message["x-volatile"] = True
    if kind == wire.ServerFrame.ERROR:
        message["x-problem-codes"] = _problem_codes()
    return message


def _message(kind: str, payload: Json, summary: str, *, has_id: bool) -> Json:
    message: Json = {"name": kind, "title": kind, "summary": summary, "payload": payload}
    if has_id:
        message["correlationId"] = {"location": "$message.payload#/id"}
    return message


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n")[0]


def _problem_codes() -> list[Json]:
    return [
        {"code": each.value, "status": each.status, "title": each.title}
        | {"retryable": each.is_retryable}
        for each in ProblemCode
    ]


# --- the channel and what goes over it ---


def _channel(messages: tuple[str, ...]) -> Json:
    return {
        "address": wire.WEBSOCKET_PATH,
        "title": "The WebSocket",
        "description": _DESCRIPTION,
        "servers": [{"$ref": "#/servers/node"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": _HANDSHAKE},
        "x-close-codes": [
            {"code": code.value, "reconnect": code.may_reconnect, "meaning": CLOSE_MEANINGS[code]}
            for code in CloseCode
        ],
    }


_HANDSHAKE: Final[Json] = {
    "bindingVersion": "0.1.0",
    "method": "GET",
    "query": {
        "type": "object",
        "properties": {
            "v": {
                "const": VERSION,
                "default": VERSION,
                "description": "The version of this protocol; another one is closed with 4505.",
            }
        },
    },
    "headers": {
        "type": "object",
        "properties": {
            "Cookie": {
                "type": "string",
                "description": "A browser's session; counts only with a trusted `Origin`.",
            },
            "Origin": {
                "type": "string",
                "description": "The page's: this server's own, or one that is configured.",
            },
            "X-Request-Id": {"type": "string", "pattern": "^[\\w-]{8,64}$"},
        },
    },
}


def _operations() -> Iterator[tuple[str, Json]]:
    """Name what the server does: it takes each frame of clients and answers, and tells the rest."""
    for kind, model in wire.CLIENT_FRAMES.items():
        taken = _operation("receive", f"fromClient.{kind}", _summary(model))
        taken["reply"] = {"channel": _channel_reference(), "messages": _answers(kind)}
        yield _name("take", kind), taken
    for kind, shape in SERVER_FRAMES.items():
        if shape.envelope is not Envelope.ANSWER:
            yield _name("tell", kind), _operation("send", f"fromServer.{kind}", _summary(shape.d))


def _operation(action: str, message: str, summary: str) -> Json:
    return {
        "action": action,
        "channel": _channel_reference(),
        "summary": summary,
        "messages": [_message_reference(message)],
    }


def _answers(kind: str) -> list[Json]:
    names = _acks(kind)
    other = ANSWERS[kind].frame
    if other is not None:
        names.append(f"fromServer.{other}")
    return [_message_reference(name) for name in (*names, f"fromServer.{wire.ServerFrame.ERROR}")]


def _channel_reference() -> Json:
    return {"$ref": f"#/channels/{_CHANNEL}"}


def _message_reference(name: str) -> Json:
    return {"$ref": f"#/channels/{_CHANNEL}/messages/{name}"}


def _name(verb: str, kind: str) -> str:
    """Return the name of an operation in camelCase, which code generators like."""
    words = kind.replace("_", ".").split(".")
    return verb + "".join(word.capitalize() for word in words)
