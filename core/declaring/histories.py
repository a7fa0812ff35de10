"""Streams for the history of exchanges, made where a policy says how much of it is to be kept.

A policy names the stream of an exchange's history (`history-stream`).  Where it also says a bound, and no queue has
that name, the stream is made, a turn later: an import that sets the policy may bring the queue itself.  Without a bound
it has to be declared, since a log that grows for ever is nothing to get by the way.

Nobody's permission to configure the queue is asked for: who sets policies says what exchanges do.  The name must be one
that anybody could declare, and limits of queues count.  Nothing here deletes anything.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.core.clients.limits import check_queue as check_queue_limit
from warren.core.declaring.names import check_new_name
from warren.core.declaring.queues import create_queue
from warren.core.errors import BrokerError
from warren.core.exchanges.base import Exchange
from warren.core.messages.field_table import encode_table
from warren.core.routing.vhost_metadata import QUEUE_TYPE_ARGUMENT

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.messages.field_table import FieldTable
    from warren.core.queues.base import Queue

_log = logging.getLogger("warren.exchange")

BOUNDS: Final = {
    "history-stream-max-length-bytes": "x-max-length-bytes",
    "history-stream-max-age": "x-max-age",
}
"""Policy keys, one of which has to be there, and the arguments of the stream that say the same."""

SEGMENT: Final = ("history-stream-max-segment-size-bytes", "x-stream-max-segment-size-bytes")
"""Bounds take whole files away, so a small history wants small ones."""


class Histories:
    """What is to be made, of one broker."""

    __slots__ = ("_broker", "_waiting")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._waiting: dict[tuple[str, str], Exchange] = {}

    def policies_changed(self, target: Queue | Exchange) -> None:
        """What policies say of it is another thing now, also because it has come into being under one."""
        if not isinstance(target, Exchange) or target.history is None or target.vhost is None:
            return
        if target.history in target.vhost.queues or not _arguments(target):
            return
        is_first = not self._waiting
        self._waiting.setdefault((target.vhost.name, target.history), target)
        if is_first:
            self._broker.chores.add(self._make_one)

    def _make_one(self) -> bool:
        """One stream, whose files take a moment; False when that was the last."""
        key = next(iter(self._waiting))
        self._make(key[1], self._waiting.pop(key))
        return bool(self._waiting)

    def _make(self, name: str, exchange: Exchange) -> None:
        vhost = exchange.vhost
        arguments = _arguments(exchange)
        if vhost is None or vhost.deleting or name in vhost.queues or exchange.history != name or not arguments:
            # It is another matter by now.
            return
        try:
            check_new_name("queue", name)
            check_queue_limit(vhost, name)
            create_queue(vhost, name, durable=True, arguments=arguments, arguments_raw=encode_table(arguments))
        except (BrokerError, OSError) as error:
            self._broker.rationed_log.warning(
                _log,
                ("history stream", vhost.name, name),
                self._broker.now_ms,
                "vhost '%s': the stream '%s' for the history of exchange '%s' can't be made: %s",
                vhost.name,
                name,
                exchange.name,
                error,
            )


def _arguments(exchange: Exchange) -> FieldTable:
    """Those of the stream that its policy wants; empty where it says no bound."""
    policy = exchange.effective_policy
    found: FieldTable = {}
    for key, argument in (*BOUNDS.items(), SEGMENT):
        value = policy.get(key)
        if isinstance(value, int | str):
            found[argument] = value
    if not any(argument in found for argument in BOUNDS.values()):
        return {}
    return {QUEUE_TYPE_ARGUMENT: "stream", **found}
