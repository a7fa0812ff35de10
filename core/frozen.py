"""`@frozen`: what a frozen dataclass is, at a tenth of what it costs a start to make the class.

    @frozen
    class Address:
        host: str
        port: int = 5672

`dataclass(frozen=True, slots=True)` writes out and compiles six methods per class, which for the hundred and more
classes of a broker was a sixth of the time to start it.  Here comparing, hashing and showing is shared, that nobody
changes a value is left to the type checker, and `__init__` is written when the first value is made: most classes of a
start have none.  `fields`, `replace` and `asdict` work.  `slotted` is the same without comparing, hashing and showing,
for classes whose base has these.

Modules that are compiled (compiled-modules.toml) keep `dataclass`, which the compiler knows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from inspect import get_annotations
from operator import attrgetter
from typing import Any, Final, TypeVar, dataclass_transform

AnyClass = TypeVar("AnyClass", bound=type)

_FIELDS: Final = "__dataclass_fields__"
"""Where dataclasses.fields looks."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: AnyClass) -> AnyClass:
    """Make the class a value: its annotations say what it is made of, compared, hashed and shown by."""
    made: Any = slotted(cls)
    compared = [each.name for each in fields(made) if each.compare]
    made.__compared__ = attrgetter(*(compared or ["__class__"]))
    for name, method in _SHARED.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


@dataclass_transform(field_specifiers=(field,))
def slotted(cls: AnyClass) -> AnyClass:
    """Make the class one with slots and an `__init__` for what its annotations say, as `dataclass(slots=True)` does."""
    annotated: dict[str, Any] = get_annotations(cls)
    inherited: dict[str, Field[Any]] = {}
    for base in cls.__mro__[:0:-1]:
        inherited.update(base.__dict__.get(_FIELDS, {}))
    body = {name: each for name, each in cls.__dict__.items() if name not in ("__dict__", "__weakref__")}
    own = {
        name: _field(name, kind, body.pop(name, MISSING))
        for name, kind in annotated.items()
        if not str(kind).startswith(("ClassVar", "typing.ClassVar"))
    }
    found = {**inherited, **own}
    taken = {slot for base in cls.__mro__[1:] for slot in base.__dict__.get("__slots__", ())}
    body["__slots__"] = tuple(name for name in own if name not in taken)
    body[_FIELDS] = found
    body["__dataclass_params__"] = _PARAMETERS
    body["__match_args__"] = tuple(name for name, each in found.items() if each.init and not each.kw_only)
    made: Any = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    if "__init__" not in body:
        made.__init__ = _first_init(made, found)
    return made  # type: ignore[no-any-return]


def _field(name: str, kind: object, default: Any) -> Field[Any]:
    found: Any = default if isinstance(default, Field) else field(default=default)
    found.name, found.type, found.kw_only = name, kind, found.kw_only is True
    found._field_type = _FIELD
    return found  # type: ignore[no-any-return]


def _first_init(cls: Any, found: Mapping[str, Field[Any]]) -> Any:
    """What writes the class's `__init__` when it is called, and has the class use that from then on."""

    def first(self: Any, *arguments: Any, **named: Any) -> None:
        written = _written_init(found, hasattr(cls, "__post_init__"))
        written.__qualname__ = f"{cls.__qualname__}.__init__"
        cls.__init__ = written
        written(self, *arguments, **named)

    return first


def _written_init(found: Mapping[str, Field[Any]], has_post_init: bool) -> Any:
    names: dict[str, Any] = {"_missing": MISSING}
    positional, by_name, lines = list[str](), list[str](), list[str]()
    for name, each in found.items():
        parameters = by_name if each.kw_only else positional
        value = name
        if each.default_factory is not MISSING:
            names[f"_make_{name}"] = each.default_factory
            value = f"_make_{name}() if {name} is _missing else {name}" if each.init else f"_make_{name}()"
            parameters += [f"{name}=_missing"] if each.init else []
        elif each.default is not MISSING:
            names[f"_default_{name}"] = each.default
            value = name if each.init else f"_default_{name}"
            parameters += [f"{name}=_default_{name}"] if each.init else []
        elif each.init:
            parameters.append(name)
        else:
            continue
        lines.append(f"  self.{name} = {value}")
    if has_post_init:
        lines.append("  self.__post_init__()")
    parameters = ["self", *positional, *(["*", *by_name] if by_name else [])]
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(lines or ["  pass"]), names)
    return names["__init__"]


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


@dataclass(eq=False, repr=False)
class _Standard:
    """What a dataclass keeps beside its fields."""

    one: int = 0


_FIELD: Final[Any] = vars(dataclasses)["_FIELD"]
_PARAMETERS: Final[Any] = vars(_Standard)["__dataclass_params__"]
