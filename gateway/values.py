"""Kinds of values on the wire: text, names, times, numbers; and what is said when one does not fit."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from veza.gateway.errors import FieldCode, FieldError, ProblemCode, ProblemError

MAX_MESSAGE_CHARS: Final = 4_000
MAX_ROOM_NAME_CHARS: Final = 100
MAX_TITLE_CHARS: Final = 200
MAX_REASON_CHARS: Final = 500
MAX_TOPIC_CHARS: Final = 1_000
MAX_REPORT_CHARS: Final = 1_000
MAX_COMMENT_CHARS: Final = 1_000
MAX_DESCRIPTION_CHARS: Final = 4_000
MAX_CREDITS: Final = 20
MAX_CREDIT_ROLE_CHARS: Final = 50
MAX_TAGS: Final = 10
MAX_TAG_CHARS: Final = 30
MAX_ATTACHMENTS: Final = 10
MAX_SLOW_MODE_SECONDS: Final = 6 * 3600
MAX_EMOJI_BYTES: Final = 40
"""The longest of Unicode's, a family with skin tones, has 35."""
MAX_SEQ: Final = 2**63 - 1
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_OR_BREAK: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""Categories of what shows nothing: not only spaces, also the zero width space and its like."""
_TURNS: Final = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
"""They turn the direction of what stands behind them: "\\u202egpj.exe" reads as "exe.jpg"."""


def time_text(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC with milliseconds."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _nfc(value: object) -> object:
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _unix_lines(value: object) -> object:
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _normalised_tag(value: object) -> object:
    if not isinstance(value, str):
        return value
    plain = unicodedata.normalize("NFKC", value).lower().strip().lstrip("#")
    return unicodedata.normalize("NFC", " ".join(plain.split()))


def _no_control(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("control_characters", "Control characters are not allowed")
    return value


def _one_line(value: str) -> str:
    if _CONTROL_OR_BREAK.search(value):
        raise PydanticCustomError("control_characters", "One line, please")
    return value


def _straight(value: str) -> str:
    if _TURNS.search(value):
        raise PydanticCustomError("control_characters", "Characters that turn the text around")
    return value


def _not_blank(value: str) -> str:
    if all(unicodedata.category(char) in _UNSEEN for char in value):
        raise PydanticCustomError("string_too_short", "The text is blank")
    return value


_EMOJI_PARTS: Final = frozenset({"So", "Sk", "Mn", "Me", "Cf"})
_KEYCAP: Final = re.compile("[0-9#*]\ufe0f?\u20e3")
_SINGLE: Final = frozenset("\u203c\u2049\u2194\u2122\u2139\u3030\u303d\xa9\xae")


def _emoji(value: str) -> str:
    """Let through what Unicode draws as one symbol; letters, digits and spaces are text."""
    symbols = [char for char in value if unicodedata.category(char) == "So" or char in _SINGLE]
    is_built = all(unicodedata.category(char) in _EMOJI_PARTS or char in _SINGLE for char in value)
    fits = len(value.encode()) <= MAX_EMOJI_BYTES and _TURNS.search(value) is None
    if not (fits and (_KEYCAP.fullmatch(value) or (symbols and is_built))):
        raise PydanticCustomError("emoji", "One emoji, please")
    return value


_LINE: Final = (
    BeforeValidator(_trimmed),
    BeforeValidator(_nfc),
    AfterValidator(_one_line),
    AfterValidator(_straight),
)
_NAMED: Final = (*_LINE, AfterValidator(_not_blank))
_PARAGRAPHS: Final = (
    BeforeValidator(_trimmed),
    BeforeValidator(_nfc),
    BeforeValidator(_unix_lines),
    AfterValidator(_no_control),
    AfterValidator(_straight),
)

MessageText = Annotated[
    str,
    Field(min_length=1, max_length=MAX_MESSAGE_CHARS),
    BeforeValidator(_nfc),
    BeforeValidator(_unix_lines),
    AfterValidator(_no_control),
    AfterValidator(_not_blank),
]
FileText = Annotated[
    str,
    Field(max_length=MAX_MESSAGE_CHARS),
    BeforeValidator(_nfc),
    BeforeValidator(_unix_lines),
    AfterValidator(_no_control),
]
"""A message's text where files may say all there is to say."""
Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_ROOM_NAME_CHARS),
    *_NAMED,
]
Title = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TITLE_CHARS),
    *_NAMED,
]
Artist = Annotated[
    str,
    Field(max_length=MAX_TITLE_CHARS),
    *_LINE,
]
"""May be empty: then it is whoever uploaded, or nothing is said of an album or a genre."""
Reason = Annotated[
    str,
    Field(min_length=1, max_length=MAX_REASON_CHARS),
    *_NAMED,
]
OptionalReason = Annotated[
    str,
    Field(max_length=MAX_REASON_CHARS),
    *_LINE,
]
Topic = Annotated[
    str,
    Field(max_length=MAX_TOPIC_CHARS),
    BeforeValidator(_trimmed),
    BeforeValidator(_nfc),
    AfterValidator(_no_control),
    AfterValidator(_straight),
]
ReportText = Annotated[
    str,
    Field(max_length=MAX_REPORT_CHARS),
    *_PARAGRAPHS,
]
Description = Annotated[
    str,
    Field(max_length=MAX_DESCRIPTION_CHARS),
    *_PARAGRAPHS,
]
CommentText = Annotated[
    str,
    Field(min_length=1, max_length=MAX_COMMENT_CHARS),
    *_PARAGRAPHS,
    AfterValidator(_not_blank),
]
CreditRole = Annotated[
    str,
    Field(min_length=1, max_length=MAX_CREDIT_ROLE_CHARS),
    *_NAMED,
]
Tag = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TAG_CHARS),
    BeforeValidator(_normalised_tag),
    AfterValidator(_one_line),
    AfterValidator(_straight),
    AfterValidator(_not_blank),
]
"""However it is written, "#Deep  House" is the tag "deep house"."""
Bpm = Annotated[float, Field(ge=20, le=400)]
MusicalKey = Annotated[str, Field(pattern="^(C|C#|D|Eb|E|F|F#|G|Ab|A|Bb|B) (major|minor)$")]
Emoji = Annotated[str, Field(min_length=1, max_length=16), AfterValidator(_emoji)]
InviteCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{1,31}$")]
RoomPassword = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_one_line)]
SlowMode = Annotated[int, Field(strict=True, ge=0, le=MAX_SLOW_MODE_SECONDS)]
Email = Annotated[
    str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(_one_line)
]
NewPassword = Annotated[str, Field(min_length=8, max_length=256), AfterValidator(_one_line)]
Seq = Annotated[int, Field(strict=True, ge=0, le=MAX_SEQ)]
QuerySeq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
Time = Annotated[
    datetime,
    PlainSerializer(
        time_text, return_type=Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    ),
]


Login = Annotated[str, Field(min_length=1, max_length=254), AfterValidator(_one_line)]
Password = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_one_line)]
Phrase = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TITLE_CHARS),
    BeforeValidator(_trimmed),
    BeforeValidator(_nfc),
    AfterValidator(_one_line),
]
"""What somebody looks for."""
Scope = Annotated[str, Field(pattern=r"^([a-z_]{1,20}:)?(read|write)$")]
SecondFactorCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9 -]{6,32}$")]
OpaqueToken = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_one_line)]


def printable(text: str, max_chars: int) -> str:
    """Return what can be shown of a text that a client's headers say."""
    return "".join(char for char in text if char.isprintable())[:max_chars]


class Body(BaseModel):
    """What a client sends. A field that nobody knows is an error, not a guess."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Said(Body):
    """What a message says: a text, or files and maybe a text."""

    attachments: Annotated[list[UUID], Field(max_length=MAX_ATTACHMENTS)] = Field(
        default_factory=list
    )
    text: FileText = Field(default="", validate_default=True)

    @field_validator("text", mode="after")
    @classmethod
    def _says_something(cls, text: str, info: ValidationInfo) -> str:
        return text if info.data.get("attachments") else _not_blank(text)


class View(BaseModel):
    """What a client gets, read by name from the actors' values."""

    model_config = ConfigDict(from_attributes=True, frozen=True, serialize_by_alias=True)

    @classmethod
    def of(cls, value: object) -> Self:
        """Fill the fields from the attributes of `value`."""
        return cls.model_validate(value)

    def to_json(self) -> bytes:
        """Write the object as JSON."""
        return self.model_dump_json().encode()


# --- what is wrong with a body ---

_FIELD_CODES: Final[Mapping[str, FieldCode]] = {
    "missing": FieldCode.REQUIRED,
    "extra_forbidden": FieldCode.UNKNOWN_FIELD,
    "string_too_short": FieldCode.TOO_SHORT,
    "string_too_long": FieldCode.TOO_LONG,
    "too_long": FieldCode.TOO_LONG,
    "greater_than_equal": FieldCode.OUT_OF_RANGE,
    "less_than_equal": FieldCode.OUT_OF_RANGE,
    "int_parsing_size": FieldCode.OUT_OF_RANGE,
    "uuid_type": FieldCode.INVALID_TYPE,
    "model_type": FieldCode.INVALID_TYPE,
    "string_type": FieldCode.INVALID_TYPE,
    "int_type": FieldCode.INVALID_TYPE,
    "bool_type": FieldCode.INVALID_TYPE,
    "list_type": FieldCode.INVALID_TYPE,
}


def invalid(error: ValidationError, prefix: str = "") -> ProblemError:
    """Return the problem of a body or frame that does not fit its model."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if any(each["type"] == "json_invalid" for each in details):
        return ProblemError(ProblemCode.MALFORMED_BODY, "The body is not JSON.")
    errors = tuple(
        FieldError(
            pointer=prefix + "".join(f"/{_escaped(part)}" for part in each["loc"]),
            code=_FIELD_CODES.get(each["type"], FieldCode.INVALID_VALUE),
            detail=each["msg"],
        )
        for each in details
    )
    unknown = all(each.code is FieldCode.UNKNOWN_FIELD for each in errors)
    return ProblemError(
        ProblemCode.UNKNOWN_FIELD if unknown else ProblemCode.VALIDATION_FAILED, errors=errors
    )


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


BodyType = TypeVar("BodyType", bound=BaseModel)


def parse_body(model: type[BodyType], raw: bytes) -> BodyType:
    """Read a JSON body; raises `ProblemError`."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise invalid(error) from error


def parse_fields(model: type[BodyType], fields: Mapping[str, object]) -> BodyType:
    """Read a query or a form; raises `ProblemError`."""
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise invalid(error) from error
