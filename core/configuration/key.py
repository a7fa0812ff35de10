"""A configuration key, declared once, where what it sets is used.

Whoever acts on a key declares it, as a field of its settings:

    @frozen
    class LineSettings:
        line_bytes_max: int = configured(
            Key("line_max_bytes", size(16, 2**20), 4096, "Longest line, in bytes.", rabbitmq=("line.max_bytes",))
        )
        greeting: str = configured(Key("line_greeting", text, "hello", "What a client is greeted with."))
        idle_timeout_ms: int = configured(
            Key("line_idle_timeout_s", number(0, 3600, "seconds"), 60.0, "Silence allowed, in seconds."), milliseconds
        )
        lines_max: int = 100

`configured` makes a field with the key's default, converted into what the code wants where that is something else.  A
field without a key is the code's own affair (tests set it).  Everything else follows from the declaration: the key in
warren.toml (`line_greeting`, or `greeting` in the table `[line]`), after `--set`, in the environment
(`WARREN_LINE_GREETING`), in a rabbitmq.conf, `warren ctl environment`, docs/configuration.md, and the settings with the
values that are in effect (`settings_from`).

Names are words in lower case with underscores, the unit last (`_s`, `_ms`, `_bytes`), and begin with the name of the
protocol or plugin that they belong to.  The kinds of values are in core/configuration/values.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, fields
from typing import Any, Final, Generic, TypeVar, cast, overload

from warren.core.frozen import frozen

T = TypeVar("T")
U = TypeVar("U")
S = TypeVar("S")

_KEY: Final = "key"
_CONVERT: Final = "convert"
"""Where a field of a settings class keeps its key, and what makes the field of the key's value."""


@frozen
class Key(Generic[T]):
    """One configuration key.

    name: the same in every source.  parse: takes a value as it was written and gives the typed one, or raises
    ValueError with what is allowed (core.configuration.values).  default: as `parse` would give it.  about: what it is
    for, for who runs a broker, in Markdown.  also: second names in Warren's own sources.  rabbitmq: what it is called
    in a rabbitmq.conf.  from_rabbitmq: makes of a value there what would be written here, such as seconds of
    milliseconds.  secret: the value is never shown.  computed: the default depends on the machine, and `about` says
    how.
    """

    name: str
    parse: Callable[[object], T]
    default: T
    about: str
    also: tuple[str, ...] = ()
    rabbitmq: tuple[str, ...] = ()
    from_rabbitmq: Callable[[str], object] = str
    secret: bool = False
    computed: bool = False


@overload
def configured(key: Key[T]) -> T: ...
@overload
def configured(key: Key[T], convert: Callable[[T], U]) -> U: ...
def configured(key: Key[Any], convert: Callable[[Any], Any] | None = None) -> Any:
    """A field of a settings class that a key sets; convert: makes the field's value of the key's."""
    value = key.default if convert is None else convert(key.default)
    return field(default=value, repr=not key.secret, metadata={_KEY: key, _CONVERT: convert})


def keys_of(section: type[object]) -> Iterator[Key[Any]]:
    """The keys that a settings class declares or refers to, in the order of its fields."""
    for each in fields(cast("Any", section)):
        if _KEY in each.metadata:
            yield each.metadata[_KEY]


def settings_from(section: type[S], values: Mapping[str, object], **own: object) -> S:
    """The settings that these values of keys make; `own` are fields without a key.

    values: by the names of keys; one that is missing has its default.
    """
    made: dict[str, Any] = dict(own)
    for each in fields(cast("Any", section)):
        if _KEY in each.metadata:
            key, convert = each.metadata[_KEY], each.metadata[_CONVERT]
            value = values.get(key.name, key.default)
            made[each.name] = value if convert is None else convert(value)
    return section(**made)


def milliseconds(seconds: float) -> int:
    """For `configured`, and keys in seconds."""
    return int(seconds * 1000)
