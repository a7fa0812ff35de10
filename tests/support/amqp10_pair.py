"""An AMQP 1.0 client half and the broker's half, joined without a socket."""

from __future__ import annotations

from tests.support.half_pair import HalfPair
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp10.client.connection import Amqp10Client
from warren.adapters.amqp10.client.login import Amqp10Login
from warren.adapters.amqp10.client.receiving import Receiving
from warren.adapters.amqp10.client.sending import Sending
from warren.adapters.amqp10.connection import Connection
from warren.adapters.amqp10.settings import Amqp10Settings

LOGIN = Amqp10Login("localhost", "PLAIN", "pair", "guest", "guest", heartbeat_ms=0)


class Amqp10Pair(HalfPair[Amqp10Client]):
    def __init__(
        self,
        broker: SimulatedBroker,
        login: Amqp10Login = LOGIN,
        cut: int | None = None,
        settings: Amqp10Settings | None = None,
    ) -> None:
        transport = SimulatedTransport("127.0.0.1", 40_000)
        transport.unkept = broker.broker.unkept
        self.peer = Connection(broker.broker, transport, settings or Amqp10Settings())
        transport.session = self.peer
        transport.outbox = self.peer.outbox
        super().__init__(broker, transport, Amqp10Client(login, broker.broker.now_ms), cut)

    def opened(self) -> Amqp10Pair:
        """Log in, and begin a session."""
        self.exchange()
        assert self.client.opened, self.client.closed
        return self

    def receiving(self, address: str, credit: int = 100, *, settled: bool = False) -> Receiving:
        """A link that receives."""
        receiving = self.client.receive_from(address, credit, name="in", settled=settled)
        self.exchange()
        assert self.client.attached, self.client.closed
        return receiving

    def sending(self, address: str, *, settled: bool = False) -> Sending:
        """A link that sends."""
        sending = self.client.send_to(address, name="out", settled=settled)
        self.exchange()
        assert self.client.attached, self.client.closed
        return sending
