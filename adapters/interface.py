"""What a protocol has to bring so that Warren can speak it.

An adapter is one function, `configure`.  The broker calls it once per listener that names the protocol, with its
configuration, and gets back another function, `accept`, which it calls for every connection.  What that makes is a
*session*, which turns bytes into calls to the broker and fills an *outbox* with what is to be sent:

    def configure(options: Options) -> Accept:
        def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
            session = LineSession(broker, transport)
            return session, session.outbox
        return accept

To a session, everything is a plain call, on one thread, that must not wait (no sockets, no sleeping, no `async`):

    receive(data)            bytes from the peer, cut anywhere
    drained()                the peer has read all it was sent
    connection_lost(reason)  the connection is gone: end consumers, give back what was not acknowledged
    shut_down(reason)        the broker stops: tell the peer, and transport.close()

It makes its outbox with `Outbox(broker.touched, transport)` and writes replies to it; the broker sends them at the end
of the turn.  It registers itself in `broker.sessions` (core.broker.SessionEntry) and leaves with its connection.
Time is `broker.now_ms`, and what is to happen later goes to `broker.deadlines`.

What a session calls:

    users.authenticate, broker.open_vhost, core.clients.client.Client    who is there
    core.declaring: queues, exchanges, bindings                          declare, delete, bind
    core.routing.publish.check_publish, publish                          publish
    core.queues.consumer.Consumer, Queue.add_consumer, end_consumer      consume: its `deliver` writes to the outbox
    Queue.acknowledge, discard, requeue; core.queues.unacked             settle what was delivered
    broker.awaiting_flush                                                be told when a message is on disk
    store.begin_group, end_group                                         do several things or none

Errors of the broker are `core.errors.BrokerError`, with a text for people; the session says them in its protocol's
terms and closes what its `scope` says.

A package offers its adapter by an entry point of the group `warren.adapters`, named as listeners name the protocol:

    [project.entry-points."warren.adapters"]
    line = "line_protocol:configure"

and `warren serve --listen line=127.0.0.1:7000` finds it.  Warren's own protocols come through the same door, see
registry.py.  examples/line_protocol is a whole one in less than a hundred lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session, Transport
    from warren.core.component import Component

ENTRY_POINT_GROUP = "warren.adapters"

Accept = Callable[["Broker", "Transport"], "tuple[Session, Outbox]"]
"""Makes the session, and the outbox that it fills, for an accepted connection."""

ComponentFactory = Callable[["Broker", "Options"], "Component"]
"""Makes what a protocol keeps with every broker (core.component), whether or not a listener names the protocol."""

AcceptCarrier = Callable[["Broker", "Carrier"], "tuple[Session, Outbox]"]
"""Makes a stage (adapters.stage), which carries another session or steps aside for it.  Every Accept is one too."""


class Options:
    """The broker's configuration, read-only, by the names of its keys.

    Each method gives the value of a key, which has to be of that kind; KeyError when there is no such key.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, key: str) -> str:
        """A string."""
        value = self._values[key]
        if not isinstance(value, str):
            raise TypeError(f"{key} is no text")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self._values[key]
        if not isinstance(value, int):
            raise TypeError(f"{key} is no whole number")
        return value

    def number(self, key: str) -> float:
        """A number."""
        value = self._values[key]
        if not isinstance(value, int | float):
            raise TypeError(f"{key} is no number")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        return self._values[key] is True

    def names(self, key: str) -> frozenset[str]:
        """A set of names."""
        value = self._values[key]
        if not isinstance(value, frozenset):
            raise TypeError(f"{key} is no set of names")
        return value


Configure = Callable[[Options], Accept]
"""An adapter."""
