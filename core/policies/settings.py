"""The settings that a policy may hold: what each accepts, whether operators may set it, how two values merge (spec G).

A user policy and an operator policy may both match a queue.  Where both hold a setting, `merge` says which value
counts: an operator bounds what users may ask for, so the smaller number wins, or simply the operator's word.

A plugin makes its own settings known with `register`.  Settings that RabbitMQ had in versions whose definitions can be
imported, and that mean nothing here (mirroring, lazy queues), are accepted as they are: a policy that holds one among
others goes on working for the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.core.errors import PreconditionFailed
from warren.core.patterns.compiling import check_pattern

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

INTEGER_MAX: Final = 2**63 - 1
"""What an AMQP table can hold; RabbitMQ's integers know no bound."""

SEGMENT_BYTES_MAX: Final = 3_000_000_000
"""RabbitMQ's limit for stream segments."""

NAME_BYTES_MAX: Final = 255
"""Names of exchanges and routing keys are short strings (AMQP 0-9-1, 4.2.5.3)."""

Merge = Callable[["JSON", "JSON"], "JSON"]
"""(value of the user policy, value of the operator policy) -> what counts."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a policy's definition.

    meaning: what a value is, for texts such as `-1 is not a valid maximum length`.  allowed: completes "must be ...".
    merge: None when operator policies may not hold it.
    """

    name: str
    meaning: str
    allowed: str
    accepts: Callable[[JSON], bool]
    merge: Merge | None = None


_settings: dict[str, Setting] = {}


def register(setting: Setting) -> None:
    """Let policies hold a setting.  Raises ValueError when another one has the name already."""
    if _settings.setdefault(setting.name, setting) is not setting:
        raise ValueError(f"there is a policy setting {setting.name!r} already")


def unregister(setting: Setting) -> None:
    """Undo `register`, for a plugin that is switched off; policies that exist stay as they are."""
    if _settings.get(setting.name) is setting:
        del _settings[setting.name]


def check_definition(definition: JSON, *, operator: bool) -> dict[str, JSON]:
    """The definition of a policy, if it may be one; PreconditionFailed says what is wrong with it."""
    if not isinstance(definition, Mapping):
        raise PreconditionFailed(f"a policy's definition must be a JSON object, not {_shown(definition)}")
    if not definition:
        raise PreconditionFailed("no policy provided: the definition is empty")
    unknown = [key for key in definition if not _is_known(key, operator=operator)]
    if unknown:
        raise PreconditionFailed(_unknown_text(unknown, operator=operator))
    for key, value in definition.items():
        setting = _settings[key]
        if not setting.accepts(value):
            raise PreconditionFailed(
                f"{_shown(value)} is not a valid {setting.meaning}: '{key}' must be {setting.allowed}"
            )
    return dict(definition)


def merge(user: Mapping[str, JSON], operator: Mapping[str, JSON]) -> dict[str, JSON]:
    """What two definitions that match the same object come to; keys are sorted, as RabbitMQ shows them."""
    return {key: _merged(key, user, operator) for key in sorted({*user, *operator})}


def _merged(key: str, user: Mapping[str, JSON], operator: Mapping[str, JSON]) -> JSON:
    if key not in operator:
        return user[key]
    if key not in user:
        return operator[key]
    setting = _settings.get(key)
    if setting is None or setting.merge is None:
        return operator[key]
    return setting.merge(user[key], operator[key])


def _is_known(key: str, *, operator: bool) -> bool:
    setting = _settings.get(key)
    return setting is not None and (not operator or setting.merge is not None)


def _unknown_text(unknown: list[str], *, operator: bool) -> str:
    import difflib

    kind = " of operator policies" if operator else ""
    known = [name for name in _settings if _is_known(name, operator=operator)]
    near = difflib.get_close_matches(unknown[0], known, n=2, cutoff=0.7)
    advice = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{', '.join(map(repr, unknown))} are not recognised policy settings{kind}{advice}"


def _shown(value: JSON) -> str:
    text = str(value).lower() if isinstance(value, bool) else "null" if value is None else repr(value)
    return text if len(text) <= NAME_BYTES_MAX else text[:NAME_BYTES_MAX] + "..."


# What values are accepted


def _integer(minimum: int | None, maximum: int = INTEGER_MAX) -> Callable[[JSON], bool]:
    lowest = -INTEGER_MAX if minimum is None else minimum

    def accepts(value: JSON) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= maximum

    return accepts


def _one_of(*allowed: JSON) -> Callable[[JSON], bool]:
    return lambda value: any(type(value) is type(each) and value == each for each in allowed)


def _name(value: JSON) -> bool:
    return isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) <= NAME_BYTES_MAX


def _text(value: JSON) -> bool:
    return isinstance(value, str) and value != ""


def _pattern(value: JSON) -> bool:
    try:
        return isinstance(value, str) and check_pattern(value) is not None
    except ValueError:
        return False


def _max_age(value: JSON) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9]{1,18}[YMDhms]", value) is not None


def _anything(value: JSON) -> bool:
    return True


# How values merge


def _least(user: JSON, operator: JSON) -> JSON:
    if isinstance(user, int) and isinstance(operator, int):
        return min(user, operator)
    return operator


def _least_limit(user: JSON, operator: JSON) -> JSON:
    """A negative delivery limit means none, so it is the larger one whatever its value (spec G)."""
    if isinstance(user, int) and isinstance(operator, int) and (user < 0 or operator < 0):
        return max(user, operator)
    return _least(user, operator)


def _largest(user: JSON, operator: JSON) -> JSON:
    if isinstance(user, int) and isinstance(operator, int):
        return max(user, operator)
    return operator


def _operators(user: JSON, operator: JSON) -> JSON:
    return operator


_FROM_0 = "an integer from 0"
_FROM_1 = "an integer from 1"
_NAME = f"a string of at most {NAME_BYTES_MAX} bytes"
_OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")
_STRATEGIES = ("at-most-once", "at-least-once")
_LOCATORS = ("client-local", "balanced", "random", "least-leaders", "min-masters")
_RETRIES = ("all", "failed", "returned", "disabled")


def _words(words: tuple[str, ...]) -> str:
    return "one of " + ", ".join(words)


_BUILT_IN = (
    Setting("alternate-exchange", "alternate exchange name", _NAME, _name),
    Setting("dead-letter-exchange", "dead letter exchange name", _NAME, _name),
    Setting("dead-letter-routing-key", "dead letter routing key", _NAME, _name),
    Setting("dead-letter-strategy", "dead letter strategy", _words(_STRATEGIES), _one_of(*_STRATEGIES)),
    Setting("message-ttl", "message TTL", _FROM_0 + ", in milliseconds", _integer(0), _least),
    Setting("expires", "queue expiry", _FROM_1 + ", in milliseconds", _integer(1), _least),
    Setting("max-length", "maximum length", _FROM_0, _integer(0), _least),
    Setting("max-length-bytes", "maximum length in bytes", _FROM_0, _integer(0), _least),
    Setting("overflow", "overflow value", _words(_OVERFLOWS), _one_of(*_OVERFLOWS), _operators),
    Setting("delivery-limit", "delivery limit", "an integer; below 0: none", _integer(None), _least_limit),
    Setting("consumer-timeout", "consumer timeout", _FROM_0 + ", in milliseconds", _integer(0)),
    Setting("consumer-disconnected-timeout", "timeout", _FROM_0 + ", in milliseconds", _integer(0)),
    Setting("delayed-retry-type", "delayed retry type", _words(_RETRIES), _one_of(*_RETRIES), _operators),
    Setting("delayed-retry-min", "shortest delay", _FROM_1 + ", in milliseconds", _integer(1), _operators),
    Setting("delayed-retry-max", "longest delay", _FROM_1 + ", in milliseconds", _integer(1), _operators),
    Setting("queue-version", "queue-version value", "1 or 2", _one_of(1, 2), _operators),
    Setting("queue-leader-locator", "queue leader locator value", _words(_LOCATORS), _one_of(*_LOCATORS)),
    Setting("initial-cluster-size", "cluster size", _FROM_0, _integer(0)),
    Setting("target-group-size", "group size", _FROM_1, _integer(1), _largest),
    Setting("member-placement-tag", "tag", "a string that isn't empty", _text, _operators),
    Setting("max-age", "max age", "digits and one of Y, M, D, h, m, s, such as 7D", _max_age),
    Setting(
        "stream-max-segment-size-bytes",
        "segment size",
        f"an integer from 0 to {SEGMENT_BYTES_MAX}",
        _integer(0, SEGMENT_BYTES_MAX),
    ),
    Setting("stream-filter-size-bytes", "filter size", "an integer from 16 to 255", _integer(16, 255)),
    Setting("federation-upstream", "name of a federation upstream", "a string that isn't empty", _text),
    Setting("federation-upstream-set", "name of an upstream set", "a string that isn't empty", _text),
    Setting("federation-upstream-pattern", "pattern of upstreams", "a regular expression", _pattern),
)

_WITHOUT_EFFECT = (
    "ha-mode",
    "ha-params",
    "ha-sync-mode",
    "ha-sync-batch-size",
    "ha-promote-on-shutdown",
    "ha-promote-on-failure",
    "max-in-memory-length",
    "max-in-memory-bytes",
    "queue-master-locator",
    "queue-mode",
)
"""Of RabbitMQ before 4.0."""

for _setting in _BUILT_IN:
    register(_setting)
for _key in _WITHOUT_EFFECT:
    register(Setting(_key, "value", "anything", _anything, _operators))
