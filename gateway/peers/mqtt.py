"""An MQTT connection to another broker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from warren.adapters.mqtt.client.connection import MqttClient
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.peers.errors import PeerError
from warren.gateway.peers.connecting import connected
from warren.gateway.peers.peer import Peer, now_ms

if TYPE_CHECKING:
    import trio

    from warren.adapters.mqtt.client.connection import MqttLogin
    from warren.adapters.mqtt.client.memory import ClientMemory
    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.adapters.mqtt.codec.packets import Publish, Subscription


class MqttPeer(Peer[MqttClient]):
    """Made by `connect_mqtt`."""

    async def subscribe(self, *subscriptions: Subscription) -> None:
        """Subscribe, and wait for the answer; PeerError, with the filter, if one is refused."""
        connection = self.connection
        connection.subscribe(*subscriptions)
        self.flush()
        with self.answering("SUBSCRIBE"):
            while connection.subscribed is None:
                await self.progress()
        assert connection.subscribed is not None
        for subscription, code in zip(subscriptions, connection.subscribed.reason_codes, strict=False):
            if code >= reason_codes.FAILURE:
                name = reason_codes.NAMES.get(code, "refused")
                text = f"the peer refused the topic filter '{subscription.filter}': {name} ({code:#04x})"
                raise PeerError(text, code)

    async def announce(self, packet: Publish) -> None:
        """Publish something beside all other messages, and wait for the answer; PeerError if it is refused.

        With what of QoS and retain the peer has.
        """
        connection, sending = self.connection, self.connection.sending
        qos = min(packet.qos, connection.maximum_qos)
        retain = packet.retain and connection.retain_available
        number = sending.announce(replace(packet, qos=qos, retain=retain))
        self.flush()
        with self.answering("PUBLISH"):
            while sending.is_open(number):
                await self.progress()
        refusal = sending.take_refusal(number)
        if refusal is not None:
            raise PeerError(f"{refusal}, to the topic '{packet.topic}'")

    async def unsubscribe(self, *filters: str) -> None:
        """End subscriptions, and wait for the answer; those that the peer doesn't have are no error."""
        connection = self.connection
        connection.unsubscribe(*filters)
        self.flush()
        with self.answering("UNSUBSCRIBE"):
            while not connection.unsubscribed:
                await self.progress()


async def connect_mqtt(nursery: trio.Nursery, uri: MqttUri, login: MqttLogin, memory: ClientMemory) -> MqttPeer:
    """An open connection; PeerError, in words, when there is none within the URI's connection timeout.

    nursery: where its tasks run, none of which ever raises.  memory: what is kept of the session between connections.
    """
    return await connected(nursery, uri, lambda stream: MqttPeer(stream, MqttClient(login, memory, now_ms())))
