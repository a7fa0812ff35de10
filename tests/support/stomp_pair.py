"""A STOMP client half and the broker's half, joined without a socket."""

from __future__ import annotations

from tests.support.half_pair import HalfPair
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.stomp.client.connection import StompClient, StompLogin
from warren.adapters.stomp.session import StompSession
from warren.adapters.stomp.settings import StompSettings

LOGIN = StompLogin(user="guest", password="guest", heartbeat_ms=0)


class StompPair(HalfPair[StompClient]):
    def __init__(
        self,
        broker: SimulatedBroker,
        login: StompLogin,
        cut: int | None = None,
        settings: StompSettings | None = None,
    ) -> None:
        transport = SimulatedTransport("127.0.0.1", 40_000)
        self.peer = StompSession(broker.broker, transport, settings or StompSettings())
        transport.session = self.peer
        transport.outbox = self.peer.outbox
        super().__init__(broker, transport, StompClient(login, broker.broker.now_ms), cut)

    def opened(self) -> StompPair:
        """Log in."""
        self.exchange()
        assert self.client.opened, self.client.closed
        return self

    def send(self, destination: str, body: bytes, *, receipt: bool = True, **headers: str) -> int:
        """Send a message; its number.  Underscores in names stand for dashes."""
        lines = [("destination", destination), *((name.replace("_", "-"), each) for name, each in headers.items())]
        return self.client.send(self.client.prepare(lines), body, receipt=receipt)
