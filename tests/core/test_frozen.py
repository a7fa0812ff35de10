"""`@frozen` beside the frozen dataclass that it stands for."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar

import pytest

from warren.core.frozen import frozen


class Written:
    """Fields of every kind; both forms are made of it."""

    __qualname__ = "Shown"

    host: str
    port: int = 5672
    options: tuple[str, ...] = ()
    seen: list[int] = field(default_factory=list, compare=False, repr=False)
    count: ClassVar[int] = 7
    known: int = field(default=3, init=False)
    named: str = field(default="n", kw_only=True)

    def address(self) -> str:
        return f"{self.host}:{self.port}"


def made_of(decorator: Any) -> Any:
    namespace = {name: each for name, each in vars(Written).items() if name not in ("__dict__", "__weakref__")}
    return decorator(type("Shown", (), namespace))


Ours = made_of(frozen)
Standard = made_of(dataclass(frozen=True, slots=True))


@frozen
class Pickled:
    """At the top of a module, as pickle wants it."""

    name: str
    sizes: tuple[int, ...] = ()


@frozen
class Empty:
    """Without fields."""


@frozen
class Own:
    """With a comparison of its own."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and other.name.lower() == self.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())


@frozen
class Derived(Pickled):
    """One field more."""

    more: int = 0


CASES: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 1), {}),
    (("a",), {"options": ("x", "y")}),
    (("b",), {"seen": [1]}),
    (("a",), {"port": 5672, "seen": [2]}),
    (("a",), {"named": "m"}),
]


@pytest.mark.parametrize(("arguments", "named"), CASES)
def test_like_a_frozen_dataclass(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, standard = Ours(*arguments, **named), Standard(*arguments, **named)
    assert repr(ours) == repr(standard)
    assert asdict(ours) == asdict(standard)
    assert hash(ours) == hash(standard)
    assert ours.address() == standard.address()
    assert replace(ours, port=9) == Ours(ours.host, 9, ours.options, named=ours.named)
    for others, more in CASES:
        assert (ours == Ours(*others, **more)) is (standard == Standard(*others, **more))
    assert ours != standard
    assert [each.name for each in fields(Ours)] == [each.name for each in fields(Standard)]
    assert Ours.__match_args__ == Standard.__match_args__
    with pytest.raises(AttributeError):
        ours.unknown = 1
    assert Ours.__slots__ == Standard.__slots__


def test_a_missing_argument_is_an_error() -> None:
    with pytest.raises(TypeError, match="host"):
        Ours()


def test_copies_and_pickles() -> None:
    each = Pickled("a", (1, 2))
    assert copy.copy(each) == each
    assert pickle.loads(pickle.dumps(each)) == each


def test_nothing_to_compare() -> None:
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())
    assert repr(Empty()) == "Empty()"


def test_what_a_class_writes_itself_stays() -> None:
    assert Own("A") == Own("a")
    assert len({Own("A"), Own("a")}) == 1


@frozen
class Late:
    """With something required behind something that isn't, and more to do."""

    size: int = 1
    handler: str = field(kw_only=True)

    def __post_init__(self) -> None:
        made.append(self)


made: list[object] = []


def test_the_first_value_is_made_like_the_next() -> None:
    first = Late(handler="h")
    assert (first.size, first.handler) == (1, "h")
    assert made == [first, Late(2, handler="i")]
    assert Late.__match_args__ == ("size",)
    with pytest.raises(TypeError, match="takes from 1 to 2 positional"):
        Late(1, "h")  # type: ignore[call-arg]


def test_classes_differ() -> None:
    assert Derived("a") != Pickled("a")
    assert Derived("a", (), 1) == Derived("a", more=1)
    assert Derived("a", (), 1) != Derived("a")
