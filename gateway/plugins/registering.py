"""What plugins' classes declare for the whole process: queue types, exchange types, policy keys.

Several brokers in one process may enable the same plugin, so each declaration is counted and goes with the last.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from warren.core.exchanges import registry as exchanges
from warren.core.policies import settings
from warren.core.queues import registry as queues

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON
    from warren.gateway.plugin import Plugin, PolicyKey

_log = logging.getLogger("warren.plugin")

_counts: dict[int, int] = {}
"""How many brokers have declared an object, by its identity."""


def register(plugin: type[Plugin]) -> None:
    """Make known what the class declares; ValueError, with nothing made known, when a name is taken."""
    done: list[tuple[object, Callable[[], object]]] = []
    try:
        for declared, add, remove in _declared(plugin):
            if not _counts.get(id(declared)):
                add()
            _counts[id(declared)] = _counts.get(id(declared), 0) + 1
            done.append((declared, remove))
    except ValueError:
        for declared, remove in done:
            _forget(declared, remove)
        raise


def unregister(plugin: type[Plugin]) -> None:
    """Undo `register`."""
    for declared, _, remove in _declared(plugin):
        _forget(declared, remove)


def _forget(declared: object, remove: Callable[[], object]) -> None:
    _counts[id(declared)] -= 1
    if not _counts[id(declared)]:
        del _counts[id(declared)]
        remove()


def _declared(plugin: type[Plugin]) -> Iterator[tuple[object, Callable[[], object], Callable[[], object]]]:
    """(what, how to add it, how to remove it)."""
    for queue_type in plugin.queue_types:
        yield queue_type, partial(queues.register, queue_type), partial(queues.unregister, queue_type)
    for exchange_type in plugin.exchange_types:
        yield exchange_type, partial(exchanges.register, exchange_type), partial(exchanges.unregister, exchange_type)
    for key in plugin.policy_keys:
        guarded = _guarded.setdefault(id(key), _guard(key))
        yield key, partial(settings.register, guarded), partial(settings.unregister, guarded)


_guarded: dict[int, PolicyKey] = {}
"""Policy keys as they are registered, by the identity of the plugins' own, which live as long as their classes."""


def _guard(key: PolicyKey) -> PolicyKey:
    """The key with its functions made safe: one that fails accepts nothing, and leaves the operator's value."""
    merge = key.merge

    def accepts(value: JSON) -> bool:
        try:
            return key.accepts(value)
        except Exception:
            _log.exception("the check of the policy key '%s' failed", key.name)
            return False

    def merged(user: JSON, operator: JSON) -> JSON:
        try:
            return operator if merge is None else merge(user, operator)
        except Exception:
            _log.exception("merging two values of the policy key '%s' failed", key.name)
            return operator

    return replace(key, accepts=accepts, merge=None if merge is None else merged)
