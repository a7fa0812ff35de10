"""The x-arguments of queues and of their consumers: one declaration each, and what reads and refuses them (spec A.7).

A type of queue lists what it knows as `Argument`s, each with its validator.  An argument that nobody knows is nobody's
business and kept as it is.  One that this type doesn't know but another does is refused (core.queues.registry): who
sets it expects something that wouldn't come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from warren.core.errors import PreconditionFailed
from warren.core.limit_hits import limited
from warren.core.messages.field_names import field_type_name
from warren.core.messages.field_table import Timestamp

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

DURATION_MS_MAX: Final = 315_360_000_000
"""Ten years, RabbitMQ's limit for TTL and expiry."""

VALUES_LIMIT: Final = "values of arguments"
"""What numbers beyond their bounds are counted as."""

VALUE_TOO_LARGE: Final = "value_too_large"
"""RabbitMQ's word for a number above its bound."""


class ArgumentReader:
    """Reads arguments of one declaration, and refuses (406) what they may not be, by name and value."""

    def __init__(self, description: str, arguments: Mapping[str, FieldValue]) -> None:
        self._description = description
        self._arguments = arguments

    def number(
        self, name: str, minimum: int | None, maximum: int | None, too_large: str = VALUE_TOO_LARGE
    ) -> int | None:
        """An integer of any width; None when it isn't there.  too_large: what RabbitMQ calls one above `maximum`."""
        if name not in self._arguments:
            return None
        value = self._arguments[name]
        if isinstance(value, bool | Timestamp) or not isinstance(value, int):
            self.refuse(name, f'"expected integer, got {field_type_name(value)}"; {value!r} is none')
        if minimum is not None and value < minimum:
            self.refuse(
                name, f"{{{'value_negative' if value else 'value_zero'},{value}}}; it is smaller than {minimum}"
            )
        if maximum is not None and value > maximum:
            raise limited(self.refusal(name, f"{{{too_large},{value}}}; it is larger than {maximum}"), VALUES_LIMIT)
        return int(value)

    def value(self, name: str) -> FieldValue:
        """Whatever it is; None when it isn't there."""
        return self._arguments.get(name)

    def text(self, name: str, *, refuse: Callable[[str], NoReturn] | None = None) -> str | None:
        """A string; None when it isn't there.  refuse: says so of any other type, `refuse_type` by default."""
        value = self._arguments.get(name)
        if name in self._arguments and not isinstance(value, str):
            (refuse or self.refuse_type)(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        """A boolean; False when it isn't there."""
        value = self._arguments.get(name, False)
        if not isinstance(value, bool):
            self.refuse_type(name, "neither true nor false")
        return value

    def choice(self, name: str, allowed: tuple[str, ...], invalid: str) -> str | None:
        """One of these strings; None when it isn't there.  invalid: RabbitMQ's word for another, `{}` where it goes."""
        value = self.text(name)
        if value is not None and value not in allowed:
            self.refuse(name, f"{invalid.format(value)}; '{value}' is none of {', '.join(allowed)}")
        return value

    def refuse_type(self, name: str, no: str = "no string") -> NoReturn:
        """Refuse the argument for the type of its value, which is `no` such thing."""
        value = self._arguments.get(name)
        self.refuse(name, f"{{unacceptable_type,{field_type_name(value)}}}; {value!r} is {no}")

    def refuse_name_type(self, name: str) -> NoReturn:
        """Refuse the name of something else for its type, as RabbitMQ puts it."""
        value = self._arguments.get(name)
        raise PreconditionFailed(
            f"invalid type '{field_type_name(value)}' for arg '{name}' in {self._description}; {value!r} is no string"
        )

    def refuse(self, name: str, reason: str) -> NoReturn:
        """Refuse the argument for this reason, which begins with RabbitMQ's word for it where it has one."""
        raise self.refusal(name, reason)

    def refusal(self, name: str, reason: str) -> PreconditionFailed:
        """The error for that."""
        return PreconditionFailed(f"invalid arg '{name}' for {self._description}: {reason}")


Read = Callable[[ArgumentReader, str], object]
"""What gives the value of the argument of a name, None when it isn't there, or refuses it (406)."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument that a type of queue, or its consumers, know.

    name: with its `x-`.  read: the validator, which gives the value.  A redeclaration of a queue must repeat it.
    """

    name: str
    read: Read


def number(minimum: int | None = None, maximum: int | None = None, too_large: str = VALUE_TOO_LARGE) -> Read:
    """An integer between two bounds; None for no bound.  too_large: what RabbitMQ calls one above the second."""
    return lambda reader, name: reader.number(name, minimum, maximum, too_large)


def duration_ms(minimum: int) -> Read:
    """A number of milliseconds of at most ten years."""
    return number(minimum, DURATION_MS_MAX)


def text() -> Read:
    """A string."""
    return lambda reader, name: reader.text(name)


def flag() -> Read:
    """A boolean, False when it isn't there."""
    return lambda reader, name: reader.flag(name)


def choice(*allowed: str, invalid: str) -> Read:
    """One of these strings.  invalid: RabbitMQ's word for any other, with `{}` where it says which."""
    return lambda reader, name: reader.choice(name, allowed, invalid)


CONSUMER_ARGUMENTS: Final = (
    Argument("x-priority", number()),
    Argument("x-consumer-timeout", duration_ms(0)),
    Argument("x-cancel-on-ha-failover", flag()),
)
"""What consumers of every type of queue may say.  x-cancel-on-ha-failover is of no meaning here; it is
checked all the same."""

FILTER_ARGUMENT: Final = Argument("x-filter", text())
"""What they may say of types of queues from which they may choose what they want (core/queues/filtering.py)."""


def read_arguments(
    description: str, known: Iterable[Argument], arguments: Mapping[str, FieldValue]
) -> dict[str, object]:
    """The values of the known arguments by name, None for those that aren't there.

    description: the queue, for the texts.  Raises PreconditionFailed (406) that names an argument and what is allowed.
    """
    reader = ArgumentReader(description, arguments)
    return {each.name: each.read(reader, each.name) for each in known}
