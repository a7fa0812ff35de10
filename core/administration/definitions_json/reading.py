"""From the bytes of a definitions file to its items, each of which knows where it stands in the file.

Every refusal says where: `queues[3] 'tasks' in vhost '/': ...`.  What versions of RabbitMQ write differently is made
alike here: 3.10 writes some objects as lists of pairs (`[["max-length",5]]`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NoReturn

from warren.core.errors import PreconditionFailed
from warren.core.limit_hits import limited
from warren.core.messages.field_table import SHORT_STRING_BYTES_MAX

if TYPE_CHECKING:
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

DEFINITIONS_BYTES_MAX: Final = 64 * 1024 * 1024
"""Definitions of a hundred thousand queues with their bindings take about 40 MB; reading takes ten times as much memory
for a moment."""

SECTIONS: Final = (
    "users",
    "vhosts",
    "permissions",
    "topic_permissions",
    "exchanges",
    "global_parameters",
    "policies",
    "parameters",
    "queues",
    "bindings",
)
"""What a file may hold, in the order in which it is imported."""

FORMATS: Final = ("cluster", "single_virtual_host")

_HEADER: Final = frozenset(
    {
        "rabbit_version",
        "rabbitmq_version",
        "product_name",
        "product_version",
        "rabbitmq_definition_format",
        "original_vhost_name",
        "explanation",
        "metadata",
        # RabbitMQ before 3.8, and what tools around it add.
        "original_cluster_name",
        "vhost",
    }
)

_MISSING: Final = object()

_BLANK: Final = re.compile(r"[ \t\n\r]*")

ROWS_PER_SLICE: Final = 500
"""Rows of a file that are read in one turn, some microseconds each."""


def read_document(data: bytes | str) -> dict[str, JSON]:
    """The JSON object in a definitions file; PreconditionFailed says what is wrong with it."""
    return _checked(_parsed(text_of(data)))


def read_in_slices(text: str) -> Generator[None, None, dict[str, JSON]]:
    """The same from its text, some rows at a time.  What is wrong with a file is found out at once."""
    document = yield from _sections(text)
    return _checked(_parsed(text) if document is None else document)


def text_of(data: bytes | str) -> str:
    """What a definitions file holds; PreconditionFailed when that is too large, or no text."""
    size = len(data)
    if size > DEFINITIONS_BYTES_MAX:
        text = f"the definitions are too large: {size} bytes, at most {DEFINITIONS_BYTES_MAX} can be imported at once"
        raise limited(PreconditionFailed(text), "bytes of a definitions file")
    try:
        return data.decode("utf-8-sig") if isinstance(data, bytes) else data.removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise PreconditionFailed(f"the definitions are not UTF-8 text (byte {error.start})") from None


def _sections(text: str) -> Generator[None, None, dict[str, JSON] | None]:
    """The object that the text is; None when it is none that is as it should be."""
    decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).raw_decode
    document: dict[str, JSON] = {}
    try:
        mark, at = _mark(text, 0)
        while mark != "}":
            if mark != ("," if document else "{"):
                return None
            key, at = decode(text, at)
            mark, at = _mark(text, at)
            if mark != ":" or not isinstance(key, str):
                return None
            if text[at] != "[":
                document[key], at = decode(text, at)
            else:
                rows: list[JSON] = []
                document[key] = rows
                mark, at = _mark(text, at)
                while mark != "]" and text[at] != "]":
                    row, at = decode(text, at)
                    rows.append(row)
                    mark, at = _mark(text, at)
                    if mark not in ("]", ","):
                        return None
                    if len(rows) % ROWS_PER_SLICE == 0:
                        yield
                if mark != "]":
                    if rows:
                        return None
                    mark, at = _mark(text, at)
            mark, at = _mark(text, at)
    except (IndexError, RecursionError, ValueError):
        return None
    return None if text[at:] else document


def _mark(text: str, at: int) -> tuple[str, int]:
    """The next character that isn't blank, and where the one behind it is; IndexError at the end."""
    at = _behind_blanks(text, at)
    return text[at], _behind_blanks(text, at + 1)


def _behind_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _parsed(text: str) -> JSON:
    try:
        found: JSON = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        advice = "the file ends too early, is it complete?" if not text[error.pos :].strip() else error.msg
        raise PreconditionFailed(
            f"the definitions are not valid JSON: line {error.lineno}, column {error.colno}: {advice}"
        ) from None
    except (RecursionError, ValueError) as error:
        raise PreconditionFailed(f"the definitions are not valid JSON: {error}") from None
    return found


def _checked(document: JSON) -> dict[str, JSON]:
    if not isinstance(document, dict):
        raise PreconditionFailed("definitions are a JSON object with sections such as queues and users; this is none")
    written = document.get("rabbitmq_definition_format", FORMATS[0])
    if written not in FORMATS:
        raise PreconditionFailed(
            f"the definitions are in the format {written!r}, which this version can't read; known are {FORMATS}"
        )
    return document


def unknown_sections(document: Mapping[str, JSON]) -> list[str]:
    """Top-level keys that mean nothing here; importing goes on without them, as in RabbitMQ."""
    return [key for key in document if key not in SECTIONS and key not in _HEADER]


def items(document: Mapping[str, JSON], section: str) -> Iterator[Item]:
    """The items of a section, none when it is missing; PreconditionFailed when it isn't a list of objects."""
    rows = document.get(section)
    if rows is None:
        return
    if not isinstance(rows, list):
        raise PreconditionFailed(f"{section}: must be a list")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise PreconditionFailed(f"{section}[{number}]: must be a JSON object, not {row!r}")
        yield Item(f"{section}[{number}]", row)


class Item:
    """One object of a section; every method raises PreconditionFailed that says where."""

    __slots__ = ("_value", "_where")

    def __init__(self, where: str, value: Mapping[str, JSON]) -> None:
        self._where = where
        self._value = value

    def __contains__(self, key: str) -> bool:
        return self._value.get(key) is not None

    def get(self, key: str) -> JSON:
        """The value as it stands there, None when it is missing."""
        return self._value.get(key)

    def text(self, key: str, default: object = _MISSING) -> str:
        """A string; a missing one is `default`, or refused."""
        value = self._value.get(key)
        if value is None and isinstance(default, str):
            return default
        if not isinstance(value, str):
            self.refuse(f"'{key}' must be a string" if value is not None else f"'{key}' is missing")
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            self.refuse(f"'{key}' holds characters that UTF-8 can't express")
        return value

    def name(self, key: str, default: object = _MISSING) -> str:
        """A string that fits into AMQP's short strings."""
        value = self.text(key, default)
        if len(value.encode("utf-8", "surrogateescape")) > SHORT_STRING_BYTES_MAX:
            self.refuse(f"'{key}' is longer than {SHORT_STRING_BYTES_MAX} bytes")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false; old tools write them as strings."""
        value = self._value.get(key)
        if value is None:
            return default
        if value in ("true", "false"):
            return value == "true"
        if not isinstance(value, bool):
            self.refuse(f"'{key}' must be true or false, not {value!r}")
        return value

    def table(self, key: str) -> Mapping[str, JSON]:
        """An object, also one that was written as a list of pairs; a missing one is empty."""
        value = self._value.get(key)
        found = as_object(value if value is not None else {})
        if not isinstance(found, Mapping):
            self.refuse(f"'{key}' must be a JSON object, not {value!r}")
        return found

    def refuse(self, text: str) -> NoReturn:
        """Refuse the import because of this item."""
        raise PreconditionFailed(f"{self.where}: {text}")

    @property
    def where(self) -> str:
        """Which item this is, for people."""
        value = self._value
        name = next((value[key] for key in ("name", "user", "source") if isinstance(value.get(key), str)), None)
        vhost = value.get("vhost")
        return (
            self._where
            + (f" '{name}'" if name is not None else "")
            + (f" in vhost '{vhost}'" if isinstance(vhost, str) else "")
        )


def refuse_deleting(item: Item, vhost: VirtualHost | None) -> None:
    """Refuse an item of a virtual host that is being deleted; None: there is none yet."""
    if vhost is not None and vhost.deleting:
        item.refuse(f"the virtual host '{vhost.name}' is being deleted; import it once that is done")


def as_object(value: JSON) -> JSON:
    """`value`, or the object that it is when it was written as a list of pairs."""
    if isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in value
    ):
        return {str(pair[0]): pair[1] for pair in value}
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is too large")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")
