"""`@frozen`: what a frozen dataclass is, at a fifth of what it costs a start to make the class.

    @frozen
    class Address:
        host: str
        port: int = 5672

`dataclass(frozen=True, slots=True)` writes out and compiles six methods per class, which for the hundred and more
classes of a broker was a sixth of the time to start it.  Here only `__init__` is made for each; comparing, hashing and
showing is shared, and that nobody changes a value is left to the type checker.  `fields`, `replace` and `asdict` work.

Modules that are compiled (compiled-modules.toml) keep `dataclass`, which the compiler knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

AnyClass = TypeVar("AnyClass", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: AnyClass) -> AnyClass:
    """Make the class a value: its annotations say what it is made of, compared, hashed and shown by."""
    made: Any = dataclass(slots=True, eq=False, repr=False)(cls)
    compared = [each.name for each in fields(made) if each.compare]
    made.__compared__ = attrgetter(*(compared or ["__class__"]))
    for name, method in _SHARED.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    key = self.__compared__
    return key(self) == key(other)


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _show(self: Any) -> str:
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{self.__class__.__qualname__}({shown})"


_SHARED = {"__eq__": _equal, "__hash__": _hash, "__repr__": _show}
