"""Interest between nodes (core.cluster.interest), carried by a subject of NATS core: what is lost is asked for.

Changes are gathered for a moment and told to all; the number of the last one is repeated now and then; who has missed
something asks, and whoever is asked by several at once answers all of them once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import trio

from warren.core.cluster.audiences import Audiences
from warren.core.cluster.interest import Ask, OwnInterest
from warren.core.cluster.interest_words import decode_word, encode_word
from warren.core.cluster.own_bindings import OwnBindings
from warren.gateway.nats.errors import NatsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warren.core.broker import Broker
    from warren.core.cluster.audience import Audience
    from warren.core.cluster.interest import Word
    from warren.core.routing.vhost import VirtualHost
    from warren.gateway.nats.trio_client import TrioClient
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")

SUBJECT: Final = "warren.interest"
"""Where all nodes listen."""

GATHER_S: Final = 0.02
"""How long changes are gathered: many queues are bound in one go."""

BEAT_S: Final = 1.0
"""How often the number of the last update is said: so late the loss of it is noticed."""

ASK_S: Final = 0.5
"""A node is asked for all that it has no more often."""

RETRY_S: Final = 0.5


class InterestExchange:
    """Of one node.

    epoch: larger than at each earlier start of it.  make: makes what stands for the own queues of another one.
    """

    def __init__(self, broker: Broker, name: str, epoch: int, make: Callable[[VirtualHost, str], Audience]) -> None:
        self._broker = broker
        self._name = name
        self.own = OwnInterest(name, epoch)
        self.bindings = OwnBindings(self.own)
        self.audiences = Audiences(broker, name, make)
        self._asks: dict[str, None] = {}
        self._asked_s: dict[str, float] = {}
        self._is_asked = False
        self._news = trio.Event()

    def begin(self) -> None:
        """Look at what there is; from now on nothing of it is missed."""
        self.bindings.begin(self._broker)
        self.audiences.begin()

    def set_nodes(self, names: Iterable[str]) -> None:
        """These are the other nodes that can be reached."""
        self._ask(self.audiences.set_nodes(names))

    async def run(self, hub: Hub, client: TrioClient) -> None:
        """Say and hear, until cancelled."""
        self.end_of_turn()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_on, hub, client)
            nursery.start_soon(self._say_on, client)

    # Hearing

    async def _hear_on(self, hub: Hub, client: TrioClient) -> None:
        while True:
            try:
                async with client.subscribe(SUBJECT) as heard:
                    while True:
                        message = await heard.receive()
                        self._hear(hub, message.payload)
            except NatsError as error:
                _log.debug("what nodes say of their bindings isn't heard just now: %s", error)
            await trio.sleep(RETRY_S)

    def _hear(self, hub: Hub, payload: bytes) -> None:
        try:
            word = decode_word(payload)
        except ValueError as error:
            _log.warning("something at %s is no word of a node: %s", SUBJECT, error)
            return
        if word.node == self._name:
            return
        if isinstance(word, Ask):
            if word.asked == self._name:
                self._is_asked = True
                self._news.set()
            return
        hub.note_time()
        ask = self.audiences.take(word)
        if ask is not None:
            self._ask([ask])
        hub.request_turn()

    # Saying

    def _ask(self, asks: Iterable[Ask]) -> None:
        for ask in asks:
            self._asks[ask.asked] = None
            self._news.set()

    def end_of_turn(self) -> None:
        """What has changed in the broker's turn is told soon."""
        if self.own.is_anything_new:
            self._news.set()

    async def _say_on(self, client: TrioClient) -> None:
        while True:
            with trio.move_on_after(BEAT_S):
                await self._news.wait()
            self._news = trio.Event()
            try:
                for word in self._words():
                    await client.publish(SUBJECT, encode_word(word))
            except NatsError as error:
                _log.debug("what this node's queues bind is told later: %s", error)
                await trio.sleep(RETRY_S)
            # Asks of the same moment are answered together, and what is bound in one go is told so.
            await trio.sleep(GATHER_S)

    def _words(self) -> list[Word]:
        now_s = trio.current_time()
        words: list[Word] = []
        for node in list(self._asks):
            if now_s - self._asked_s.get(node, -ASK_S) >= ASK_S:
                self._asked_s[node] = now_s
                del self._asks[node]
                words.append(Ask(self._name, node))
        words += self.own.updates()
        if self._is_asked:
            self._is_asked = False
            words += self.own.snapshot()
        return words or [self.own.beat()]
