"""What another node's own queues want of the messages published here: one queue stands for all of them.

A message that any of them is bound to goes to it once, and by it to the node, which gives it to those of its own
queues that it is for (adapters.amqp091.nodes.audience_end).  It isn't among the queues of its virtual host: nobody
declares, consumes or lists it, and only routing finds it (core.cluster.beyond).

While there is no way to its node, what is published waits, as for any queue of another node.  Whoever waits for too
long is refused, and from then on the node is away: nothing is routed there until there is a way again, as its queues
can't be told from ones that are gone.  When its node has left the cluster they are gone: nobody has to wait for them.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.cluster.remote_queue import RemoteQueue
from warren.core.compiled import mypyc_attr
from warren.core.routing.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cluster.far_queue import FarQueue
    from warren.core.errors import BrokerError
    from warren.core.messages.message import Message
    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.cluster")

NAME_PREFIX: Final = "amq.node."
"""How its name begins; no client can declare such a queue."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Audience(RemoteQueue):
    """Of one node, in one virtual host.  is_away: nothing is routed to it for the time being."""

    __slots__ = ("is_away",)

    type_name: ClassVar[str] = "node"

    def prepare(self) -> None:
        super().prepare()
        self.is_away = False

    @property
    def description(self) -> str:
        return f"the audience of vhost '{self.vhost.name}' on another node"

    @property
    def is_settled(self) -> bool:
        """Whether nobody waits for the node's word about anything."""
        return not self._held and not self._unconfirmed

    def append(self, message: Message) -> None:
        if self.far.is_open:
            self._send(message)
        else:
            self.append_with(message, Receipt())

    def append_with(self, message: Message, receipt: Receipt) -> None:
        if self._closed:
            receipt.expect()
            receipt.answer(taken=True)
        else:
            super().append_with(message, receipt)

    def _waited_too_long(self, now_ms: int) -> None:
        super()._waited_too_long(now_ms)
        self.is_away = True
        self.vhost.changed()
        _log.warning(
            "vhost '%s': what is published here doesn't reach the own queues of node '%s' any more, as there is no way "
            "to it; it does again when there is",
            self.vhost.name,
            self.far.node,
        )

    def opened(self) -> None:
        super().opened()
        if self.is_away:
            self.is_away = False
            self.vhost.changed()
            _log.info("vhost '%s': what is published here reaches node '%s' again", self.vhost.name, self.far.node)

    def lost(self, error: BrokerError) -> None:
        super().lost(error)
        if not self._closed:
            self._wait()

    def gone(self) -> None:
        """Its node has left the cluster, and its queues with it, or nobody there wants anything any more."""
        self._closed = self.is_away = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        held, self._held = self._held, deque()
        self._held_bytes = 0
        unconfirmed, self._unconfirmed = self._unconfirmed, deque()
        for _, receipt in held:
            receipt.answer(taken=True)
        for _, _, receipt in unconfirmed:
            receipt.answer(taken=True)
        self.far.close()


def audience(vhost: VirtualHost, node: str, way: Callable[[Audience], FarQueue]) -> Audience:
    """That of a node.  way: makes the way to it."""
    made = Audience(vhost, NAME_PREFIX + node)
    made.reach(way(made))
    made.far.open()
    return made
