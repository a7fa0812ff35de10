"""What publishers and consumers of a mixed crash test have in common, whatever they speak.

One loop drives all of them: `pump` says what can be said, `handle` takes what came.  They outlive their connections, as
programs do that keep on their own disk what isn't finished: `connect` makes a new one after each start of the broker.
"""

from __future__ import annotations

import random
import socket
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from tests.crash.mixed.content import key_in, random_size
from tests.crash.mixed.history import MixedHistory
from tests.support.amqp_wire import Address
from tests.support.crash_amqp10 import SOMETHING
from tests.support.crash_link import WAIT_S, BrokerSaysNoError, CrashLink, Event

EXCHANGE: Final = "amq.topic"

KEY: Final = "mixed"
"""The first word of routing keys and topics; the second is who publishes."""

WINDOW: Final = 100
"""Messages of a publisher that aren't confirmed."""

BEHIND_MAX: Final = 250
"""So many of its messages haven't come to some place, and a publisher waits: queues that grow are another test."""

PREFETCH: Final = 100

HELD_MAX: Final = 40
"""Messages that a consumer sits on at most."""

SETTLED_SHARE: Final = 0.75

ASK_EVERY: Final = 20
"""Acknowledgements, and a consumer asks for an answer."""


class PacketLink(CrashLink):
    """A connection whose packets are taken apart by `parse`, and wait in `packets`."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.name = name
        self.socket = connection
        self.socket.setblocking(False)
        self.ended = False
        self.packets: deque[Any] = deque()
        self._unsent = bytearray()
        self._received = bytearray()

    def parse(self, data: bytes) -> int:
        """Take apart what has come; how many bytes of it whole packets have."""
        raise NotImplementedError

    def next(self, what: str) -> Any:
        """The next packet; this one is waited for."""
        self.wait(lambda event: None, lambda: bool(self.packets), what)
        return self.packets.popleft()

    def _events(self) -> Iterator[Event]:
        taken = self.parse(bytes(self._received))
        del self._received[:taken]
        yield SOMETHING


class Peer:
    """See the head of this file."""

    link: CrashLink

    def __init__(self, name: str, history: MixedHistory, chance: random.Random) -> None:
        self.name = name
        self.history = history
        self.chance = chance

    def connect(self, addresses: Mapping[str, Address]) -> None:
        """Make a connection to a broker that has just started, and go on where the last one ended."""
        raise NotImplementedError

    def pump(self) -> None:
        """Say what can be said now."""
        raise NotImplementedError

    def handle(self, event: Event) -> None:
        """Take what came."""
        raise NotImplementedError

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        raise NotImplementedError


class Publisher(Peer):
    """stopped: it publishes nothing more of its own accord.  places: where its messages come to."""

    proves = True

    def __init__(self, name: str, history: MixedHistory, chance: random.Random, places: Collection[str]) -> None:
        super().__init__(name, history, chance)
        self.places = places
        self.stopped = False
        self.number = 0

    @property
    def may_publish(self) -> bool:
        """Whether it may publish another message, as far as its window has room."""
        is_free = not self.stopped and self.link.may_send
        return is_free and all(self.history.behind(place, self.name) < BEHIND_MAX for place in self.places)

    def next_key(self) -> str:
        """The key of another message, which is sent now."""
        self.number += 1
        key = f"{self.name}~{self.number}~{random_size(self.chance)}"
        self.history.publish(self.name, key, self.places, proves=self.proves)
        return key


class Consumer(Peer):
    """It acknowledges most of what comes at once, and sits on the rest for a while, unless it is `draining`."""

    def __init__(self, name: str, history: MixedHistory, chance: random.Random) -> None:
        super().__init__(name, history, chance)
        self.draining = False
        self._held: deque[tuple[Any, str]] = deque()
        self._asked: deque[int] = deque()
        self._count = 0

    @property
    def place(self) -> str:
        """What it consumes."""
        return self.name

    @property
    def is_idle(self) -> bool:
        return not self._held and not self._asked

    def acknowledge(self, token: Any) -> None:
        """Say so."""
        raise NotImplementedError

    def send_question(self) -> None:
        """Ask for anything: the answer says that all before it was handled."""
        raise NotImplementedError

    def begin_anew(self) -> None:
        """Behind a restart: what was with the earlier connection comes again."""
        self._held.clear()
        self._asked.clear()

    def came(self, token: Any, content: bytes, *, redelivered: bool | None, once: bool = False) -> None:
        """A message came.  token: what it is acknowledged by."""
        key, is_intact = key_in(content)
        self.history.deliver(self.place, key, redelivered=redelivered, intact=is_intact, once=once)
        self._held.append((token, key))

    def ask(self) -> None:
        """Ask for what proves the acknowledgements until now."""
        self._asked.append(self.history.acknowledged_count(self.place))
        self.send_question()

    def answered(self) -> None:
        """The answer to the oldest question has come."""
        self.history.answered(self.place, self._asked.popleft())

    def pump(self) -> None:
        while self._held and self._is_willing():
            token, key = self._held.popleft()
            self.history.acknowledge(self.place, key)
            self.acknowledge(token)
            self._count += 1
            if self._count % ASK_EVERY == 0:
                self.ask()

    def _is_willing(self) -> bool:
        return self.draining or len(self._held) > HELD_MAX or self.chance.random() < SETTLED_SHARE


def connected(address: Address) -> socket.socket:
    """A socket."""
    return socket.create_connection(address, WAIT_S)


def unexpected(peer: Peer, what: object) -> BrokerSaysNoError:
    """The broker said something that it had no reason to."""
    return BrokerSaysNoError(f"{peer.name} got {what}")
