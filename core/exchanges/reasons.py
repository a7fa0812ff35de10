"""Why a binding leads a message on, or doesn't, in words, and how near it came: for who asks where a message would go.

Whether it does, an exchange says by its own way of matching (`Exchange.reason`); this is about what to tell people.
Nearness is a number for sorting: 0 for what matches, and the more the less alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

STEPS_MAX: Final = 4096
"""Pairs of words that are compared to find out how near a pattern came: a millisecond or less.  A topic of MQTT may
have tens of thousands of words; of longer ones only the beginning is compared."""

SHOWN_CHARACTERS_MAX: Final = 100
"""Of a value that is quoted."""

NAMED_MAX: Final = 5
"""Headers that are named, where more don't agree."""


class Reason(NamedTuple):
    """Whether a binding leads a message on.  distance: how far it is from that.  text: why, as a part of a sentence."""

    matches: bool
    distance: int
    text: str


def keys_differ(wanted: str, key: str) -> tuple[int, str]:
    """Of a binding key that has to be equal to the routing key, and isn't."""
    if wanted.casefold() == key.casefold():
        return 1, f"the binding key '{shown(wanted)}' differs from '{shown(key)}' in upper and lower case only"
    if wanted.strip() == key.strip():
        return 1, f"the binding key '{shown(wanted)}' differs from '{shown(key)}' in spaces at an end only"
    first = _alike(wanted, key)
    last = _alike(wanted[first:][::-1], key[first:][::-1])
    distance = 2 + max(len(wanted), len(key)) - first - last
    if any(wildcard in wanted.split(".") for wildcard in ("*", "#")):
        text = f"the binding key '{shown(wanted)}' isn't '{shown(key)}'; this type of exchange knows no wildcards"
        return distance, text
    return distance, f"the binding key '{shown(wanted)}' isn't '{shown(key)}'"


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next(
        (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )


def patterns_differ(pattern: Sequence[str], words: Sequence[str]) -> tuple[int, str]:
    """Of a topic pattern that doesn't match the words of a routing key."""
    return 1 + _words_between(pattern, words), _first_difference(pattern, words)


def _first_difference(pattern: Sequence[str], words: Sequence[str]) -> str:
    for place, wanted in enumerate(pattern):
        if wanted == "#":
            rest = pattern[place + 1 :]
            return f"behind '#' it wants '{shown('.'.join(rest))}', and the key doesn't end so"
        if place == len(words):
            break
        if wanted not in ("*", words[place]):
            alike = wanted.casefold() == words[place].casefold()
            case = " (only upper and lower case differ)" if alike else ""
            return f"word {place + 1} is '{shown(words[place])}', and the binding wants '{shown(wanted)}'{case}"
    if "#" in pattern:
        return f"the key has {len(words)} words, and the binding wants at least {len(pattern) - pattern.count('#')}"
    return f"the key has {len(words)} words, and the binding wants {len(pattern)}"


def _words_between(pattern: Sequence[str], words: Sequence[str]) -> int:
    """How many words would have to be put in, left out or replaced in the key for the pattern to match it."""
    beyond = 0
    if len(pattern) * len(words) > STEPS_MAX:
        side = int(STEPS_MAX**0.5)
        beyond = abs(len(pattern) - len(words))
        pattern, words = pattern[:side], words[:side]
    row = list(range(len(words) + 1))
    for wanted in pattern:
        before, row = row, [row[0] + (wanted != "#")]
        for place, word in enumerate(words, 1):
            if wanted == "#":
                row.append(min(before[place], row[place - 1]))
            else:
                replaced = before[place - 1] + (wanted not in ("*", word))
                row.append(min(replaced, before[place] + 1, row[place - 1] + 1))
    return row[-1] + beyond


def headers_differ(
    equal: Mapping[str, object],
    present: Collection[str],
    values: Mapping[str, object],
    headers: Mapping[str, object],
    *,
    any_suffices: bool,
) -> tuple[int, str]:
    """Of criteria that a message's headers don't meet.

    equal, present: what is asked (core.exchanges.headers.Criteria).  values: the same as people write it.  headers:
    canonical.
    """
    unmet = [name for name, value in equal.items() if headers.get(name, _NOTHING) != value]
    missing = [name for name in present if name not in headers]
    count = len(unmet) + len(missing)
    if not count:
        return 1, "it asks for nothing, and any of nothing is never there"
    told = [_unmet_text(name, values.get(name), headers) for name in unmet[:NAMED_MAX]]
    told += [f"'{shown(name)}' is missing" for name in missing[: NAMED_MAX - len(told)]]
    if count > len(told):
        told.append(f"{count - len(told)} more")
    start = "none of what it asks for is there" if any_suffices else "not all that it asks for is there"
    # Any that has one of its names right is nearer than one that has none.
    return 1 + count, f"{start}: {', '.join(told)}"


def _unmet_text(name: str, wanted: object, headers: Mapping[str, object]) -> str:
    if name not in headers:
        return f"'{shown(name)}' is missing"
    found = headers[name]
    plain = found[1] if isinstance(found, tuple) and len(found) == 2 else found
    kinds = ""
    if str(plain) == str(wanted):
        kinds = " (of another type)"
    return f"'{shown(name)}' is {shown(repr(plain))} instead of {shown(repr(wanted))}{kinds}"


_NOTHING: Final = object()


def shown(text: str) -> str:
    """A value within a sentence, cut where it is long."""
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"
