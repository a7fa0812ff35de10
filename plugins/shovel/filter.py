"""Which messages a shovel moves: the key `src-filter`, read and compiled (docs/shovel.md, "Filter").

A filter is an object whose members must all hold.  Patterns are those of AMQP's topic exchange and of MQTT's filters,
in the broker's own trie; regular expressions are the broker's own, whose time is bounded.  Values are compared as they
read, since STOMP and MQTT carry numbers and truths as texts: 7 is "7", and true is "true".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.topics import parse_filter, words_of
from warren.core.exchanges.topic import split_words
from warren.core.exchanges.topic_trie import TopicTrie
from warren.core.frozen import frozen
from warren.core.messages.properties import PropertyChanges
from warren.core.patterns.compiling import check_pattern
from warren.plugins.bridging.pump import BATCH_MAX
from warren.plugins.shovel.mqtt_ends import topic_of

if TYPE_CHECKING:
    from warren.plugins.bridging.ends import Arrived

MATCH_STEPS_MAX: Final = 4_000
"""Of a regular expression, for one value: about two milliseconds where it isn't linear."""

STEPPING_BATCH_MAX: Final = 4
"""Messages that are looked at in one go, where a regular expression isn't linear."""

CONDITIONS_MAX: Final = 64
"""Of one filter: each is looked at for every message."""

STEPPING_MAX: Final = 2
"""Of one filter, regular expressions that aren't linear."""

NUMBER_CHARACTERS_MAX: Final = 40
"""Longer texts aren't taken for numbers."""

PROPERTIES: Final = frozenset(PropertyChanges.__annotations__) - {"headers"}

Test = Callable[[object], bool]
"""Whether a value is one that is wanted; None for one that isn't there."""

Condition = Callable[["Arrived"], bool]


@frozen
class Filter:
    """asked: the filter as it was written.  batch_max: messages to be looked at in one go."""

    asked: Mapping[str, Any]
    batch_max: int = field(default=BATCH_MAX, compare=False)
    conditions: tuple[Condition, ...] = field(default=(), compare=False, repr=False)

    def passes(self, message: Arrived) -> bool:
        """Whether a message is moved."""
        return all(condition(message) for condition in self.conditions)


def read_filter(value: object) -> Filter:
    """Reads the value of `src-filter`; ValueError with what it must be."""
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must be an object that has some of {', '.join(MEMBERS)}")
    stepping: list[str] = []
    conditions: list[Condition] = []
    for name, asked in value.items():
        member = MEMBERS.get(name)
        if member is None:
            raise ValueError(f"has the unknown member '{name}': there are {', '.join(MEMBERS)}")
        conditions += member(name, asked, stepping)
    if len(conditions) > CONDITIONS_MAX or len(stepping) > STEPPING_MAX:
        raise ValueError(
            f"has too many conditions: there may be {CONDITIONS_MAX}, and among them {STEPPING_MAX} regular "
            "expressions that aren't linear"
        )
    return Filter(value, STEPPING_BATCH_MAX if stepping else BATCH_MAX, tuple(conditions))


# Members


def _routing_key(name: str, asked: object, stepping: list[str]) -> Iterator[Condition]:
    trie: TopicTrie[bool] = TopicTrie()
    for pattern in _texts(name, asked):
        trie.insert(split_words(pattern), True)
    yield lambda message: bool(trie.match(split_words(message.routing_key)))


def _topic(name: str, asked: object, stepping: list[str]) -> Iterator[Condition]:
    trie: TopicTrie[bool] = TopicTrie("+", "#", many_words_is_last=True, dollar_is_hidden=True)
    for pattern in _texts(name, asked):
        try:
            parsed = parse_filter(pattern)
        except PacketError as error:
            raise ValueError(f"has a '{name}' that can't be used: {error.text}") from None
        if parsed.share_name:
            raise ValueError(f"has a '{name}' with a share name, which only a subscription can have")
        trie.insert(parsed.words, True)
    yield lambda message: bool(trie.match(words_of(topic_of(message, message.routing_key))))


def _exchange(name: str, asked: object, stepping: list[str]) -> Iterator[Condition]:
    exchanges = frozenset(_texts(name, asked))
    yield lambda message: message.exchange in exchanges


def _headers(name: str, asked: object, stepping: list[str]) -> Iterator[Condition]:
    if not isinstance(asked, dict) or not asked:
        raise ValueError(f'has \'{name}\' that isn\'t an object such as {{"site": 7, "level": {{">": 2}}}}')
    for header, wanted in asked.items():
        yield _of_header(header, _test(f"{name}.{header}", wanted, stepping))


def _properties(name: str, asked: object, stepping: list[str]) -> Iterator[Condition]:
    if not isinstance(asked, dict) or not asked:
        raise ValueError(f'has \'{name}\' that isn\'t an object such as {{"type": "alarm"}}')
    for each, wanted in asked.items():
        if each not in PROPERTIES:
            raise ValueError(f"has the unknown property '{each}': there are {', '.join(sorted(PROPERTIES))}")
        yield _of_property(each, _test(f"{name}.{each}", wanted, stepping))


def _of_header(header: str, test: Test) -> Condition:
    return lambda message: test((message.properties.headers or {}).get(header))


def _of_property(name: str, test: Test) -> Condition:
    return lambda message: test(getattr(message.properties, name))


MEMBERS: Final[Mapping[str, Callable[[str, object, list[str]], Iterator[Condition]]]] = {
    "routing-key": _routing_key,
    "topic": _topic,
    "exchange": _exchange,
    "headers": _headers,
    "properties": _properties,
}


def _texts(name: str, asked: object) -> list[str]:
    given = asked if isinstance(asked, list) else [asked]
    texts = [each for each in given if isinstance(each, str)]
    if not texts or len(texts) != len(given) or len(texts) > CONDITIONS_MAX:
        raise ValueError(f"has '{name}' that isn't a text, or a list of at most {CONDITIONS_MAX}")
    return texts


# Values


def _test(where: str, wanted: object, stepping: list[str]) -> Test:
    """What is asked of one value: that it is something, or an object of comparisons."""
    if not isinstance(wanted, dict):
        return _equal(where, wanted)
    if not wanted:
        raise ValueError(f"has '{where}' without a comparison: there are {', '.join(COMPARISONS)}")
    tests = []
    for sign, operand in wanted.items():
        comparison = COMPARISONS.get(sign)
        if comparison is None:
            raise ValueError(f"has '{where}' with the unknown comparison '{sign}': there are {', '.join(COMPARISONS)}")
        tests.append(_matches(where, operand, stepping) if sign == "matches" else comparison(where, operand))
    return lambda value: all(test(value) for test in tests)


def _equal(where: str, wanted: object) -> Test:
    if not isinstance(wanted, str | int | float):
        raise ValueError(f"has '{where}' that isn't a text, a number, true, false, or an object of comparisons")
    text, number = _text(wanted), None if isinstance(wanted, bool | str) else _number(wanted)
    if number is None:
        return lambda value: value is not None and _text(value) == text
    return lambda value: value is not None and (_text(value) == text or _number(value) == number)


def _unequal(where: str, wanted: object) -> Test:
    equal = _equal(where, wanted)
    return lambda value: not equal(value)


def _among(where: str, wanted: object) -> Test:
    if not isinstance(wanted, list) or not 0 < len(wanted) <= CONDITIONS_MAX:
        raise ValueError(f"has '{where}' with 'in' that isn't a list of at most {CONDITIONS_MAX} values")
    tests = [_equal(where, each) for each in wanted]
    return lambda value: any(test(value) for test in tests)


def _exists(where: str, wanted: object) -> Test:
    if not isinstance(wanted, bool):
        raise ValueError(f"has '{where}' with 'exists' that isn't true or false")
    return lambda value: (value is not None) == wanted


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[str, object], Test]:
    """Numbers are compared as numbers, also where they came as texts; other texts with texts."""

    def read(where: str, bound: object) -> Test:
        number = None if isinstance(bound, bool) else _number(bound)
        if number is not None:
            return lambda value: (found := _number(value)) is not None and holds(found, number)
        if isinstance(bound, str):
            return lambda value: isinstance(value, str) and holds(value, bound)
        raise ValueError(f"has '{where}' with a bound that isn't a number or a text")

    return read


def _matches(where: str, pattern: object, stepping: list[str]) -> Test:
    if not isinstance(pattern, str):
        raise ValueError(f"has '{where}' with 'matches' that isn't a regular expression")
    try:
        expression = check_pattern(pattern)
    except ValueError as error:
        raise ValueError(f"has '{where}' with '{pattern}', which is no regular expression: {error}") from None
    if not expression.is_linear:
        stepping.append(pattern)
    return lambda value: value is not None and expression.found_in(_text(value), MATCH_STEPS_MAX)


COMPARISONS: Final[Mapping[str, Callable[[str, object], Test]]] = {
    "=": _equal,
    "!=": _unequal,
    "<": _ordered(lambda value, bound: value < bound),
    "<=": _ordered(lambda value, bound: value <= bound),
    ">": _ordered(lambda value, bound: value > bound),
    ">=": _ordered(lambda value, bound: value >= bound),
    "in": _among,
    "exists": _exists,
    "matches": _equal,
}
"""`matches` is read by `_matches`, which notes what it costs."""


def _text(value: object) -> str:
    """A value as STOMP and MQTT carry it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, str) and len(value) > NUMBER_CHARACTERS_MAX:
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return None if number.is_nan() else number
