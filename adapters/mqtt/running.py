"""The time from a client's CONNACK to the end of its connection: what there is then, each with an owner of its own.

    inflow          messages from the client: topic aliases, known topics, the receive maximum
    outflow         messages to it: the window, what waits for it, what is sent again
    subscriptions   the consumers that bring them
    answers         everything else that it is told
    held            what waits while an alarm blocks publishing
    session         what outlives the connection (adapters.mqtt.sessions)

The owners know of each other what they are given when they are made; none knows the connection.  They end together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt import authentication
from warren.adapters.mqtt.ack_holder import MqttAckHolder
from warren.adapters.mqtt.agreed import effective_expiry_s
from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import Auth
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.holding_back import HeldPackets
from warren.adapters.mqtt.inflow import Inflow
from warren.adapters.mqtt.outflow import Outflow
from warren.adapters.mqtt.subscriptions import Subscriptions
from warren.core.declaring.queues import end_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.mqtt.answers import Answers
    from warren.adapters.mqtt.codec.packets import Disconnect
    from warren.adapters.mqtt.login import Admitted
    from warren.adapters.mqtt.sessions.holder import Holder
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.settings import MqttSettings
    from warren.adapters.session.liveness import KeepAlive
    from warren.adapters.session.read_gate import ReadGate


class Running:
    """One client that is logged in.  disconnect: ends the connection, with a reason code and a text."""

    __slots__ = (
        "_ack_holder",
        "_disconnect",
        "_exchange",
        "_keep_alive",
        "_will",
        "_will_delay_s",
        "answers",
        "client",
        "held",
        "inflow",
        "outflow",
        "session",
        "subscriptions",
    )

    def __init__(
        self,
        admitted: Admitted,
        session: MqttSession,
        answers: Answers,
        settings: MqttSettings,
        gate: ReadGate,
        disconnect: Callable[[int, str], None],
    ) -> None:
        self.client = client = admitted.client
        self.session = session
        self.answers = answers
        self.inflow = Inflow(client, session, answers, settings.known_topic_bytes_max)
        self.outflow = Outflow(session, answers, client.counts.own)
        earlier = len(session.outgoing)
        client.counts.own.outstanding = lambda: len(session.outgoing) - earlier
        self.subscriptions = Subscriptions(client, session, self.outflow, disconnect)
        self.held = HeldPackets(client.vhost.broker.alarms, gate)
        self._disconnect = disconnect
        self._exchange = admitted.exchange
        self._will = admitted.will
        will = admitted.connect.will
        self._will_delay_s = will.properties.get("will_delay_interval", 0) if will is not None else 0
        self._keep_alive: KeepAlive | None = None
        self._ack_holder: MqttAckHolder | None = None

    def begin(self, keep_alive: KeepAlive | None) -> None:
        """CONNACK is sent: send again what an earlier connection left, then what waits in the queues."""
        self._keep_alive = keep_alive
        self.outflow.resend()
        self.subscriptions.begin()

    def authenticate(self, packet: Auth) -> None:
        """AUTH: the client proves again who it is, as the same user (MQTT 5 4.12.1)."""
        if self._exchange is None:
            raise authentication.not_named(packet)
        user, properties = authentication.go_on(self._exchange, packet, logged_in=True)
        if user is None:
            self.answers.send(Auth(reason_codes.CONTINUE_AUTHENTICATION, properties))
        elif user != self.client.user.name:
            raise Refusal(reason_codes.NOT_AUTHORIZED, "re-authentication as another user")
        else:
            self.answers.send(Auth(reason_codes.SUCCESS, properties))

    def take_leave(self, packet: Disconnect, settings: MqttSettings) -> None:
        """DISCONNECT may change how long the session lives on, but not that it doesn't (3.14.2.2.2)."""
        expiry_s = packet.properties.get("session_expiry_interval")
        if expiry_s is None:
            return
        if expiry_s and not self.session.expiry_s:
            raise ProtocolViolation(
                reason_codes.PROTOCOL_ERROR,
                "3.14.2.2.2",
                "a session that ends with its connection can't outlive it",
            )
        self.session.expiry_s = effective_expiry_s(settings, expiry_s)

    @property
    def ack_holder(self) -> MqttAckHolder | None:
        """For the watch of the acknowledgement timeout, while there is something to acknowledge."""
        if not self.session.outgoing:
            self._ack_holder = None
        elif self._ack_holder is None:
            self._ack_holder = MqttAckHolder(self.subscriptions, self._disconnect)
        return self._ack_holder

    def end(self, holder: Holder, *, publish_will: bool) -> None:
        """Everything that dies with the socket.  holder: as which the connection had the session."""
        if self._keep_alive is not None:
            self._keep_alive.stop()
        self.held.end()
        self.answers.end()
        self.subscriptions.end()
        self.outflow.end()
        self.inflow.end()
        if self.session.holder is holder:
            self.session.detach()
        if publish_will:
            self._leave_will()
        end_client(self.client)

    def _leave_will(self) -> None:
        """Publish the will, or have it published when its delay or the session is over (MQTT 5 3.1.3.2.2)."""
        will, session = self._will, self.session
        if will is None:
            return
        delay_s = min(self._will_delay_s, session.expiry_s)
        registry = session.registry
        if delay_s and not session.ended:
            registry.wills.put(session.client_id, will, registry.broker.now_ms + delay_s * 1000)
        else:
            registry.publish_will(session.client_id, will)
