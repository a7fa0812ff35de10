"""A client half and the broker's half of a protocol, joined without a socket; bytes pass in pieces of any size."""

from __future__ import annotations

from typing import Generic, TypeVar

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.peers.client_half import ClientHalf

ROUNDS_MAX = 10_000

Half = TypeVar("Half", bound=ClientHalf)


class HalfPair(Generic[Half]):
    """cut: how many bytes the client is given at once, None for all."""

    def __init__(
        self, broker: SimulatedBroker, transport: SimulatedTransport, client: Half, cut: int | None = None
    ) -> None:
        self.broker = broker
        self.transport = transport
        self.client = client
        self.cut = cut

    def exchange(self) -> None:
        """Until neither side has anything to say."""
        for _ in range(ROUNDS_MAX):
            sent = self.client.take()
            if sent:
                self.transport.receive(sent)
            if not self.receive() and not sent:
                return
        raise AssertionError("the two never come to rest")

    def receive(self) -> bool:
        """Give the client what the broker has to say; whether that was anything."""
        self.broker.settle()
        received = self.transport.take()
        step = self.cut or max(len(received), 1)
        for start in range(0, len(received), step):
            self.client.receive(received[start : start + step], self.broker.broker.now_ms)
        return bool(received)

    def advance(self, milliseconds: int) -> None:
        """Time passes for both, and both say what is due."""
        self.broker.advance(milliseconds)
        self.client.advance(self.broker.broker.now_ms)
        self.exchange()

    def lose(self) -> None:
        """The link is gone, whatever was under way."""
        self.transport.lose()
        self.broker.settle()
        self.client.lost("the peer closed the socket")
