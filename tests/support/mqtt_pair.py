"""An MQTT client half and the broker's half, joined without a socket."""

from __future__ import annotations

from tests.support.half_pair import HalfPair
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.mqtt.client.connection import MqttClient, MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.connection import MqttConnection
from warren.adapters.mqtt.settings import MqttSettings


class MqttPair(HalfPair[MqttClient]):
    def __init__(
        self,
        broker: SimulatedBroker,
        login: MqttLogin,
        memory: ClientMemory | None = None,
        cut: int | None = None,
        settings: MqttSettings | None = None,
    ) -> None:
        transport = SimulatedTransport("127.0.0.1", 40_000)
        self.peer = MqttConnection(broker.broker, transport, settings or MqttSettings())
        transport.session = self.peer
        transport.outbox = self.peer.outbox
        super().__init__(broker, transport, MqttClient(login, memory or ClientMemory(), broker.broker.now_ms), cut)
