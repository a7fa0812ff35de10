"""Where messages of a virtual host go beyond this node: what other nodes have said that their own queues bind.

Each exchange that other nodes bind has a shadow here, an exchange of its type that has their bindings alone.  The walk
of a message asks it beside the exchange itself, so that other nodes' bindings match as this node's do, and none of them
is ever seen in a listing, removed with a queue, or written to the definitions.

Exchanges that pick one of their targets have none: they pick among what all nodes share, and what is on the node that a
message was published at.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from warren.core.cluster.audience import NAME_PREFIX, Audience
from warren.core.errors import BrokerError
from warren.core.exchanges.binding import Binding, BindingKey, binding_key
from warren.core.messages.field_table import EMPTY_TABLE_RAW, decode_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cluster.interest import Interest
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Destination
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.properties import Properties
    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.cluster")


class _Shadow:
    """Of an exchange by its name.  bindings: all, while the exchange itself isn't known here; of: the one that is."""

    __slots__ = ("bindings", "exchange", "of")

    def __init__(self) -> None:
        self.bindings: dict[BindingKey, Binding] = {}
        self.of: Exchange | None = None
        self.exchange: Exchange | None = None

    def add(self, binding: Binding) -> bool:
        """False where there is an equal one."""
        if self.exchange is None:
            return self.bindings.setdefault(binding.key, binding) is binding
        return self._add_to(self.exchange, binding)

    def remove(self, key: BindingKey) -> bool:
        """False where there is none."""
        if self.exchange is None:
            return self.bindings.pop(key, None) is not None
        return self.exchange.remove(key)

    @property
    def is_empty(self) -> bool:
        return not (self.bindings if self.exchange is None else self.exchange.bindings)

    def cast_by(self, exchange: Exchange) -> Exchange:
        """What to ask beside this exchange; made anew where the name is another exchange's now."""
        if self.of is exchange and self.exchange is not None:
            return self.exchange
        bindings = list(self.bindings.values() if self.exchange is None else self.exchange.bindings)
        self.bindings = {}
        shadow = type(exchange)(exchange.name, durable=exchange.durable, arguments=exchange.arguments)
        for binding in bindings:
            self._add_to(shadow, binding)
        self.of, self.exchange = exchange, shadow
        return shadow

    @staticmethod
    def _add_to(exchange: Exchange, binding: Binding) -> bool:
        try:
            return exchange.add(binding)
        except BrokerError as error:
            _log.warning("a binding of %s can't be known here: %s", binding.target.name, error.text)
            return False


class Beyond:
    """Of one virtual host.  make: makes what stands for the own queues of a node."""

    __slots__ = ("_counts", "_make", "_named", "_shadows", "_vhost", "audiences")

    def __init__(self, vhost: VirtualHost, make: Callable[[str], Audience]) -> None:
        self._vhost = vhost
        self._make = make
        self.audiences: dict[str, Audience] = {}
        self._counts: dict[str, int] = {}
        self._shadows: dict[str, _Shadow] = {}
        self._named: dict[str, Audience] = {}

    def add(self, node: str, interest: Interest) -> None:
        """A node's own queues bind this from now on.  The caller says `VirtualHost.changed`."""
        audience = self.audiences.get(node)
        if audience is None:
            audience = self.audiences[node] = self._make(node)
        if not interest.exchange:
            is_new = self._named.get(interest.key) is not audience
            self._named[interest.key] = audience
        else:
            shadow = self._shadows.get(interest.exchange)
            if shadow is None:
                shadow = self._shadows[interest.exchange] = _Shadow()
            is_new = shadow.add(Binding(interest.exchange, audience, interest.key, *_arguments(interest)))
        self._counts[node] = self._counts.get(node, 0) + is_new

    def remove(self, node: str, interest: Interest) -> None:
        """They don't any more."""
        name = NAME_PREFIX + node
        was_there = False
        if not interest.exchange:
            named = self._named.get(interest.key)
            if named is not None and named.name == name:
                del self._named[interest.key]
                was_there = True
        else:
            shadow = self._shadows.get(interest.exchange)
            if shadow is not None:
                was_there = shadow.remove(binding_key("queue", name, interest.key, _arguments(interest)[0]))
                if shadow.is_empty:
                    del self._shadows[interest.exchange]
        if node in self._counts:
            self._counts[node] -= was_there

    def gone(self, node: str) -> None:
        """The node has left the cluster; what it had said is about to be removed.  Nobody waits for it any more."""
        audience = self.audiences.pop(node, None)
        self._counts.pop(node, None)
        if audience is not None:
            audience.gone()
            self._vhost.changed()

    def sweep(self, node: str) -> None:
        """Let go of what stands for a node whose queues want nothing any more."""
        audience = self.audiences.get(node)
        if audience is not None and not self._counts.get(node) and (audience.is_settled or audience.is_away):
            audience.gone()
            del self.audiences[node]
            self._counts.pop(node, None)

    def end(self) -> None:
        """The virtual host is gone."""
        for audience in self.audiences.values():
            audience.gone()

    def named(self, queue_name: str) -> Audience | None:
        """The node that has a queue of its own by this name, for the default exchange."""
        audience = self._named.get(queue_name)
        return None if audience is None or audience.is_away else audience

    def targets(
        self,
        exchange: Exchange,
        routing_key: str,
        headers: Mapping[str, FieldValue] | None,
        properties: Properties | None,
    ) -> Collection[Destination]:
        """The nodes that bind an exchange, for such a message."""
        shadow = self._shadows.get(exchange.name)
        if shadow is None or exchange.picks_one:
            return ()
        found = shadow.cast_by(exchange).targets_by_properties(routing_key, headers, properties)
        return [each for each in found if isinstance(each, Audience) and not each.is_away]


def _arguments(interest: Interest) -> tuple[Mapping[str, FieldValue], bytes]:
    """Decoded, and as they came.  Raises FrameError for what is no table."""
    if not interest.arguments:
        return {}, EMPTY_TABLE_RAW
    return decode_table(interest.arguments, 0)[0], interest.arguments
