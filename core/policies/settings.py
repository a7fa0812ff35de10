"""The settings that a policy may hold: what each accepts, whether operators may set it, how two values merge (spec G).

A user policy and an operator policy may both match a queue.  Where both hold a setting, `merge` says which value
counts: an operator bounds what users may ask for, so the smaller number wins, or simply the operator's word.

Settings that arguments of queues say as well are declared with those (core/queues/classic/rules.py), the others here; a
plugin makes its own known with `register`.  Settings that RabbitMQ had in versions whose definitions can be
imported, and that mean nothing here (mirroring, lazy queues), are accepted as they are: a policy that holds one among
others goes on working for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.errors import PreconditionFailed
from warren.core.policy_setting import (
    FROM_0,
    FROM_1,
    MILLISECONDS,
    NAME,
    NAME_BYTES_MAX,
    Setting,
    anything,
    integer,
    is_max_age,
    is_name,
    is_pattern,
    is_text,
    largest,
    one_of,
    operators_word,
    words,
)
from warren.core.queues.classic.rules import RULE_ARGUMENTS
from warren.core.queues.stream.arguments import SEGMENT_BYTES_MAX

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

ONE_OF_THESE: Final = ("federation-upstream-set", "federation-upstream", "federation-upstream-pattern")
"""A policy holds one of these at most (spec E.2)."""

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
    together = [key for key in ONE_OF_THESE if key in definition]
    if len(together) > 1:
        raise PreconditionFailed(
            f"cannot specify {' and '.join(together)} together: each says which upstreams there are"
        )
    for key, value in definition.items():
        setting = _settings[key]
        if not setting.accepts(value):
            raise PreconditionFailed(
                f"{_shown(value)} is not a valid {setting.meaning}: '{key}' must be {setting.allowed}"
            )
    return dict(definition)


def asks_for_replicas(definition: Mapping[str, JSON]) -> bool:
    """Whether it asks for mirrors, in the words of RabbitMQ before 4.0: `ha-mode` all, exactly with `ha-params` of 2 or
    more, or nodes with several names.  In a cluster, durable classic queues are replicated by that; on how many
    servers is the cluster's matter.
    """
    mode, asked = definition.get("ha-mode"), definition.get("ha-params")
    if mode == "exactly":
        return isinstance(asked, int) and not isinstance(asked, bool) and asked > 1
    if mode == "nodes":
        return isinstance(asked, list | tuple) and len(set(map(str, asked))) > 1
    return mode == "all"


def mirroring_warning(definition: Mapping[str, JSON], *, in_cluster: bool = False) -> str | None:
    """What to tell who sets this: that nothing is mirrored, or in a cluster, which queues it doesn't change.

    None for a definition that asks for no mirrors.
    """
    asked = [key for key in definition if key.startswith(_MIRRORING)]
    if not asked:
        return None
    if in_cluster and asks_for_replicas(definition):
        return (
            f"{', '.join(asked)}: durable classic queues that are declared from now on are replicated, on as many "
            "servers as the cluster has replicas; those that are there stay as they are (list_queues name replication)"
        )
    return (
        f"{', '.join(asked)}: NOTHING IS MIRRORED: what the policy matches is kept once, by this broker alone "
        f"(RabbitMQ 4.0 has no mirrors either); its other settings apply"
    )


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


AGE: Final = "digits and one of Y, M, D, h, m, s, such as 7D"

_LOCATORS = ("client-local", "balanced", "random", "least-leaders", "min-masters")
_RETRIES = ("all", "failed", "returned", "disabled")

_BUILT_IN = (
    Setting("alternate-exchange", "alternate exchange name", NAME, is_name),
    Setting("history-stream", "stream name", NAME, is_name),
    Setting("history-stream-max-length-bytes", "size", FROM_0, integer(0)),
    Setting("history-stream-max-age", "max age", AGE, is_max_age),
    Setting(
        "history-stream-max-segment-size-bytes",
        "segment size",
        f"an integer from 0 to {SEGMENT_BYTES_MAX}",
        integer(0, SEGMENT_BYTES_MAX),
    ),
    Setting("consumer-disconnected-timeout", "timeout", FROM_0 + MILLISECONDS, integer(0)),
    Setting("delayed-retry-type", "delayed retry type", words(_RETRIES), one_of(*_RETRIES), operators_word),
    Setting("delayed-retry-min", "shortest delay", FROM_1 + MILLISECONDS, integer(1), operators_word),
    Setting("delayed-retry-max", "longest delay", FROM_1 + MILLISECONDS, integer(1), operators_word),
    Setting("queue-version", "queue-version value", "1 or 2", one_of(1, 2), operators_word),
    Setting("queue-leader-locator", "queue leader locator value", words(_LOCATORS), one_of(*_LOCATORS)),
    Setting("initial-cluster-size", "cluster size", FROM_0, integer(0)),
    Setting("target-group-size", "group size", FROM_1, integer(1), largest),
    Setting("member-placement-tag", "tag", "a string that isn't empty", is_text, operators_word),
    Setting("max-age", "max age", AGE, is_max_age),
    Setting(
        "stream-max-segment-size-bytes",
        "segment size",
        f"an integer from 0 to {SEGMENT_BYTES_MAX}",
        integer(0, SEGMENT_BYTES_MAX),
    ),
    Setting("stream-filter-size-bytes", "filter size", "an integer from 16 to 255", integer(16, 255)),
    Setting("federation-upstream", "name of a federation upstream", "a string that isn't empty", is_text),
    Setting("federation-upstream-set", "name of an upstream set", "a string that isn't empty", is_text),
    Setting("federation-upstream-pattern", "pattern of upstreams", "a regular expression", is_pattern),
)

_MIRRORING: Final = "ha-"

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

for _setting in (*_BUILT_IN, *(argument.policy for argument in RULE_ARGUMENTS if argument.policy)):
    register(_setting)
for _key in _WITHOUT_EFFECT:
    register(Setting(_key, "value", "anything", anything, operators_word))
