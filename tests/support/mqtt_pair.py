"""An MQTT client half and the broker's half, joined without a socket; bytes pass in pieces of any size."""

from __future__ import annotations

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.mqtt.client.connection import MqttClient, MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.connection import MqttConnection
from warren.adapters.mqtt.settings import MqttSettings

ROUNDS_MAX = 10_000


class MqttPair:
    """cut: how many bytes the client is given at once, None for all."""

    def __init__(
        self,
        broker: SimulatedBroker,
        login: MqttLogin,
        memory: ClientMemory | None = None,
        cut: int | None = None,
        settings: MqttSettings | None = None,
    ) -> None:
        self.broker = broker
        self.transport = SimulatedTransport("127.0.0.1", 40_000)
        self.peer = MqttConnection(broker.broker, self.transport, settings or MqttSettings())
        self.transport.session = self.peer
        self.transport.outbox = self.peer.outbox
        self.client = MqttClient(login, memory or ClientMemory(), broker.broker.now_ms)
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

    def lose(self) -> None:
        """The link is gone, whatever was under way."""
        self.transport.lose()
        self.broker.settle()
        self.client.lost("the peer closed the socket")
