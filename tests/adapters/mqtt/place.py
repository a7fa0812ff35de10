"""A broker that bad clients come to: what they could leave behind, and who watches their wills."""

from __future__ import annotations

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec.packets import Will
from warren.adapters.mqtt.sessions.place import world_of

WILL = Will("gone", b"will", 1)


class Place:
    """One for many tests: each leaves it as it was, which `state` shows."""

    def __init__(self) -> None:
        self.simulated = SimulatedBroker()
        self._watcher = MqttClient(self.simulated)
        self._watcher.connect("watcher")
        self._watcher.subscribe("gone")
        everything = MqttClient(self.simulated)
        everything.connect("everything")
        everything.subscribe("a")
        self._own = set(self.simulated.broker.sessions)

    def state(self) -> tuple[object, ...]:
        """All that a connection could leave behind."""
        broker, vhost = self.simulated.broker, self.simulated.vhost
        world = world_of(broker).of(vhost)
        return (
            set(broker.sessions),
            len(broker.deadlines),
            {name: (queue.ready_count, queue.unacked_count) for name, queue in vhost.queues.items()},
            {name: session.holder for name, session in world.sessions.items()},
            world.subscription_count,
            len(world.wills),
            len(world.retained),
            len(broker.awaiting_flush),
        )

    def gone(self) -> list[bytes]:
        """The wills that were published since the last look."""
        return self._watcher.take()

    def clear(self, client_id: str, level: int) -> None:
        """End a session that was kept."""
        back = MqttClient(self.simulated, level)
        back.connect(client_id)
        back.disconnect()

    def sweep(self) -> None:
        """Take away what a test that failed left behind, so that it fails alone."""
        broker = self.simulated.broker
        for each in [session for session in broker.sessions if session not in self._own]:
            each.force_close("left behind")
        self.simulated.settle()
        for session in list(world_of(broker).of(self.simulated.vhost).sessions.values()):
            if session.holder is None:
                session.end()
        self.simulated.settle()
        self.gone()
