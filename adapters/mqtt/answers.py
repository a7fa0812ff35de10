"""What one client is told: every packet to it that is no PUBLISH, in the form and at the time that it may have it.

The form follows from what was agreed on: the protocol level, the longest packet that the client takes, whether it wants
reason strings.  The time is now, or once something is on disk (adapters.session.after_flush).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.agreed import NOTHING_AGREED
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode_within
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Disconnect,
    PubAck,
    PubComp,
    PubRec,
    PubRel,
    SubAck,
    UnsubAck,
)
from warren.adapters.mqtt.codec.short_answers import PUBACK, PUBREC, short_answer
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.session.after_flush import AfterFlush

if TYPE_CHECKING:
    from warren.adapters.mqtt.agreed import Agreed
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.clients.outbox import Outbox
    from warren.core.routing.receipt import Receipt

Answer = ConnAck | PubAck | PubRec | PubRel | PubComp | SubAck | UnsubAck | Disconnect | Auth

REFUSALS_LIMIT: Final = "mqtt_refusals_per_minute_max"
"""The key, under which it is counted, too."""

REFUSALS_COUNTED_MS: Final = 60_000
"""What `mqtt_refusals_per_minute_max` is counted over."""

REASON_CHARACTERS_MAX: Final = 1000
"""Reason strings end here: they are for people, and may hold a client's own long names."""


class Answers:
    """To one client.  agreed: NOTHING_AGREED until its CONNECT.  client_id: its own, or one that was made up for it.

    world: counts them.

    refusals_max: so often in a minute it may ask for what it may not do; 0 for any number.
    """

    __slots__ = (
        "_after_flush",
        "_refusals",
        "_refusals_from_ms",
        "agreed",
        "client_id",
        "outbox",
        "refusals_max",
        "world",
    )

    def __init__(self, world: MqttWorld, outbox: Outbox, refusals_max: int = 0) -> None:
        self.refusals_max = refusals_max
        self._refusals = 0
        self._refusals_from_ms = 0
        self.world = world
        self.outbox = outbox
        self._after_flush: AfterFlush | None = None
        self.agreed = NOTHING_AGREED
        self.client_id = ""

    def agree(self, agreed: Agreed, client_id: str) -> None:
        """The CONNECT has come: from now on the client can be told something."""
        self.agreed = agreed
        self.client_id = client_id

    @property
    def after_flush(self) -> AfterFlush:
        """What waits for the disk; made when something does, or may."""
        if self._after_flush is None:
            self._after_flush = AfterFlush(self.world.broker, self.outbox)
        return self._after_flush

    @property
    def waiting_count(self) -> int:
        """How many answers wait for the disk."""
        return 0 if self._after_flush is None else self._after_flush.count

    def refused(self) -> None:
        """The client was told that it may not do something; Refusal (0x87) when that is too often in a minute."""
        broker = self.world.broker
        if broker.now_ms - self._refusals_from_ms >= REFUSALS_COUNTED_MS:
            self._refusals_from_ms = broker.now_ms
            self._refusals = 0
        self._refusals += 1
        if self.refusals_max and self._refusals > self.refusals_max:
            broker.limit_hits.count(REFUSALS_LIMIT)
            raise Refusal(
                reason_codes.NOT_AUTHORIZED,
                f"it has asked more than {self.refusals_max} times in a minute for what its user may not do "
                f"({REFUSALS_LIMIT})",
            )

    def send(self, packet: Answer, text: str = "") -> None:
        """Send a packet that the client has to get.  text: for its reason string, where the client wants one.

        Refusal 0x95 when it is longer than what the client takes: then the connection can't go on.
        """
        encoded = self.encoded(packet, text)
        if encoded is None:
            raise Refusal(
                reason_codes.PACKET_TOO_LARGE,
                f"{type(packet).__name__.upper()} doesn't fit into {self.agreed.packet_bytes_max} bytes, the client's "
                "Maximum Packet Size; raise it, or ask for less at once",
            )
        self.write(encoded)
        if isinstance(packet, SubAck | UnsubAck | ConnAck):
            # What it grants is in the definitions, and must be there after a power failure.
            self.world.broker.unkept.hold(self.outbox)

    def refuse(self, reason_code: int, text: str) -> None:
        """CONNACK that says no, as well as it can; nothing at all, if even that is too long."""
        self._offer(ConnAck(reason_codes.fitting(versions.CONNACK, reason_code)), text)

    def disconnect(self, reason_code: int, text: str) -> None:
        """DISCONNECT, as well as it can say why; nothing at all, if even that is too long."""
        self._offer(Disconnect(reason_codes.fitting(versions.DISCONNECT, reason_code)), text)

    def _offer(self, packet: Answer, text: str) -> None:
        encoded = self.encoded(packet, text)
        if encoded is not None:
            self.write(encoded)

    def write(self, packet: bytes) -> None:
        """Send what is encoded already."""
        self.outbox.write(packet)
        self.world.answers_sent += 1

    def send_in_order(self, packet: bytes, *, stored: bool) -> None:
        """Send an answer about a message behind those before it.  stored: once all until now is on disk."""
        self.after_flush.send(packet, stored=stored)
        self.world.answers_sent += 1

    def answer_publish(self, qos: int, packet_id: int, code: int, *, stored: bool, text: str = "") -> None:
        """PUBACK or PUBREC; the others as `send_in_order` and `send` have them."""
        if not code or self.agreed.level != versions.V5:
            self.send_in_order(short_answer(PUBACK if qos == 1 else PUBREC, packet_id), stored=stored)
            return
        packet = versions.PUBACK if qos == 1 else versions.PUBREC
        encoded = self.encoded((PubAck if qos == 1 else PubRec)(packet_id, reason_codes.fitting(packet, code)), text)
        if encoded is not None:
            self.send_in_order(encoded, stored=stored)

    def answer_publish_late(self, receipt: Receipt, qos: int, packet_id: int, code: int, text: str) -> None:
        """The same once the queues have taken the message, in its turn.

        code: for a message that is taken.  text: why one that isn't wasn't; MQTT 3 has no way to say so, and there it
        stays unanswered (spec C.3).
        """
        kind = PubAck if qos == 1 else PubRec
        is_v5 = self.agreed.level == versions.V5
        taken = self.encoded(kind(packet_id, code)) if code and is_v5 else None

        def refused() -> bytes | None:
            return self.encoded(kind(packet_id, reason_codes.QUOTA_EXCEEDED), text) if is_v5 else None

        short = short_answer(PUBACK if qos == 1 else PUBREC, packet_id)
        self.after_flush.send_late(receipt, taken or short, refused)
        self.world.answers_sent += 1

    def encoded(self, packet: Answer, text: str = "") -> bytes | None:
        """The packet's bytes, None if the client doesn't take as many (MQTT-3.1.2-29)."""
        agreed = self.agreed
        wanted = agreed.problem_information or isinstance(packet, ConnAck | Disconnect)
        if text and wanted and agreed.level == versions.V5:
            readable = text.encode("utf-8", "replace").decode()[:REASON_CHARACTERS_MAX].replace("\0", "?")
            packet.properties["reason_string"] = readable
        return encode_within(packet, agreed.level, agreed.packet_bytes_max)

    def end(self) -> None:
        """The connection ends: nothing waits for the disk any more."""
        if self._after_flush is not None:
            self._after_flush.clear()
