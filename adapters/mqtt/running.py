"""The time from a client's CONNACK to the end of its connection: what there is then, each with an owner of its own.

    inflow          messages from the client: topic aliases, known topics, the receive maximum
    outflow         messages to it: the window, what waits for it, what is sent again
    subscriptions   the consumers that bring them
    answers         everything else that it is told
    held            what waits while an alarm blocks publishing
    session         what outlives the connection (adapters.mqtt.sessions)

The owners know of each other what they are given when they are made; none knows the connection.  They end together.
Most clients are quiet, and many never publish, or never subscribe: what they don't use isn't made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from warren.adapters.mqtt import authentication
from warren.adapters.mqtt.ack_holder import MqttAckHolder
from warren.adapters.mqtt.agreed import effective_expiry_s
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import Auth
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.holding_back import HeldPackets
from warren.adapters.mqtt.inflow import NOTHING_KNOWN, Inflow
from warren.adapters.mqtt.outflow import Outflow
from warren.adapters.mqtt.subscriptions import Subscriptions
from warren.core.declaring.queues import end_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from warren.adapters.mqtt.answers import Answers
    from warren.adapters.mqtt.codec.packets import Disconnect
    from warren.adapters.mqtt.login import Admitted
    from warren.adapters.mqtt.sessions.holder import Holder
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.settings import MqttSettings
    from warren.adapters.session.liveness import KeepAlive
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.routing.known_routes import KnownRoute


class Ending(Protocol):
    """The connection, to what may have to end it."""

    def disconnect(self, reason_code: int, text: str) -> None:
        """End the connection, saying why."""


class Running:
    """One client that is logged in."""

    __slots__ = (
        "_ack_holder",
        "_ending",
        "_exchange",
        "_gate",
        "_held",
        "_inflow",
        "_keep_alive",
        "_known_topic_bytes_max",
        "_outflow",
        "_subscriptions",
        "_will",
        "_will_delay_s",
        "answers",
        "client",
        "session",
    )

    def __init__(
        self,
        admitted: Admitted,
        session: MqttSession,
        answers: Answers,
        settings: MqttSettings,
        gate: ReadGate,
        ending: Ending,
    ) -> None:
        self.client = admitted.client
        self.session = session
        self.answers = answers
        self._known_topic_bytes_max = settings.known_topic_bytes_max
        self._inflow: Inflow | None = None
        self._outflow: Outflow | None = None
        self._subscriptions: Subscriptions | None = None
        self._held: HeldPackets | None = None
        self._gate = gate
        self._ending = ending
        self._exchange = admitted.exchange
        self._will = admitted.will
        will = admitted.connect.will
        self._will_delay_s = will.properties.get("will_delay_interval", 0) if will is not None else 0
        self._keep_alive: KeepAlive | None = None
        self._ack_holder: MqttAckHolder | None = None

    def begin(self, keep_alive: KeepAlive | None) -> None:
        """CONNACK is sent: send again what an earlier connection left, then what waits in the queues."""
        self._keep_alive = keep_alive
        if self.session.outgoing_count:
            self.outflow.resend()
        if self.session.subscriptions:
            self.subscriptions.begin()

    @property
    def inflow(self) -> Inflow:
        """Messages from the client; made when the first comes."""
        if self._inflow is None:
            self._inflow = Inflow(self.client, self.session, self.answers, self._known_topic_bytes_max)
        return self._inflow

    @property
    def outflow(self) -> Outflow:
        """Messages to the client; made when there may be some."""
        if self._outflow is None:
            self._outflow = Outflow(self.session, self.answers, self.client.counts.own)
            self.client.counts.own.outstanding = self._outflow.outstanding
        return self._outflow

    @property
    def subscriptions(self) -> Subscriptions:
        """The consumers that bring them; made with the first subscription."""
        if self._subscriptions is None:
            self._subscriptions = Subscriptions(self.client, self.session, self.outflow, self._ending.disconnect)
        return self._subscriptions

    @property
    def sent_count(self) -> int:
        """PUBLISH packets to the client, so far."""
        return 0 if self._outflow is None else self._outflow.sent_count

    @property
    def queue_count(self) -> int:
        """Queues that it consumes from."""
        return 0 if self._subscriptions is None else len(self._subscriptions)

    # Under an alarm

    def known_topics(self) -> Mapping[bytes, KnownRoute]:
        """Topics whose messages may be published without another look; none while publishing has to wait."""
        inflow = self._inflow
        return NOTHING_KNOWN if inflow is None or self.is_held_back else inflow.known_now()

    @property
    def is_held_back(self) -> bool:
        """True while an alarm holds the client's publishes."""
        return self._held is not None and self._held.active

    def must_wait(self, kind: int) -> bool:
        """True when a packet of this type has to wait (holding_back.py)."""
        if self._held is not None:
            return self._held.wants(kind)
        return kind == versions.PUBLISH and self.client.vhost.broker.alarms.blocked is not None

    def hold_back(self, packet: bytes, alarms_changed: Callable[[], None]) -> None:
        """Keep a packet until the alarm is over, which `alarms_changed` is called about until the connection ends."""
        if self._held is None:
            self._held = HeldPackets(self.client.vhost.broker.alarms, self._gate)
            self.client.vhost.broker.alarms.listen(alarms_changed)
        self._held.add(packet)

    def take_held(self) -> bytes:
        """All that was held back and may be handled now."""
        return b"" if self._held is None else self._held.take()

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
        if not self.session.outgoing_count:
            self._ack_holder = None
        elif self._ack_holder is None:
            self._ack_holder = MqttAckHolder(self.subscriptions, self._ending.disconnect)
        return self._ack_holder

    def end(self, holder: Holder, *, publish_will: bool) -> None:
        """Everything that dies with the socket.  holder: as which the connection had the session."""
        if self._keep_alive is not None:
            self._keep_alive.stop()
        if self._held is not None:
            self._held.end()
        self.answers.end()
        if self._subscriptions is not None:
            self._subscriptions.end()
        if self._outflow is not None:
            self._outflow.end()
        if self._inflow is not None:
            self._inflow.end()
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
