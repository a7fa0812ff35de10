"""STOMP 1.2: the receipt of a SEND is its confirm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.crash.mixed.content import content_of
from tests.crash.mixed.peers import (
    EXCHANGE,
    KEY,
    PREFETCH,
    WINDOW,
    Consumer,
    PacketLink,
    Publisher,
    connected,
    unexpected,
)
from tests.simulation.whole.stomp import whole_size
from tests.support.amqp_wire import Address
from tests.support.crash_link import Event
from tests.support.simulated_stomp import Answer, answers, frame

SUBSCRIPTION: Final = "0"


class StompLink(PacketLink):
    """Logged in."""

    def __init__(self, address: Address, name: str) -> None:
        super().__init__(connected(address), name)
        self.send(frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest"))
        answer = self.next("logging in")
        assert answer.command == "CONNECTED", answer

    def parse(self, data: bytes) -> int:
        size = whole_size(data)
        self.packets += answers(data[:size])
        return size


class StompPublisher(Publisher):
    """See the head of this file."""

    link: StompLink

    def connect(self, addresses: Mapping[str, Address]) -> None:
        self.link = StompLink(addresses["stomp"], self.name)
        self._unconfirmed: dict[str, str] = {}

    @property
    def is_idle(self) -> bool:
        return not self._unconfirmed

    def pump(self) -> None:
        while len(self._unconfirmed) < WINDOW and self.may_publish:
            key = self.next_key()
            content, receipt = content_of(key), str(self.number)
            self._unconfirmed[receipt] = key
            destination = f"/exchange/{EXCHANGE}/{KEY}.{self.name}"
            headers = {"destination": destination, "persistent": "true", "receipt": receipt}
            self.link.send(frame("SEND", content, content_length=str(len(content)), **headers))

    def handle(self, event: Event) -> None:
        while self.link.packets:
            answer: Answer = self.link.packets.popleft()
            if answer.command != "RECEIPT":
                raise unexpected(self, answer)
            self.history.confirm(self._unconfirmed.pop(answer["receipt-id"]))


class StompConsumer(Consumer):
    """It settles each message by itself; what it asks is an empty transaction that is given up."""

    link: StompLink

    def connect(self, addresses: Mapping[str, Address]) -> None:
        self.begin_anew()
        self.link = StompLink(addresses["stomp"], self.name)
        destination = f"/amq/queue/{self.place}"
        headers = {"id": SUBSCRIPTION, "destination": destination, "ack": "client-individual"}
        self.link.send(frame("SUBSCRIBE", prefetch_count=str(PREFETCH), **headers))

    def handle(self, event: Event) -> None:
        while self.link.packets:
            answer: Answer = self.link.packets.popleft()
            if answer.command == "RECEIPT":
                self.answered()
            elif answer.command == "MESSAGE":
                redelivered = answer.headers.get("redelivered") == "true"
                self.came(answer["ack"], answer.body, redelivered=redelivered)
            else:
                raise unexpected(self, answer)

    def acknowledge(self, token: str) -> None:
        self.link.send(frame("ACK", id=token))

    def send_question(self) -> None:
        self.link.send(frame("BEGIN", transaction="question"), frame("ABORT", transaction="question", receipt="asked"))
