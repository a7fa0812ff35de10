"""Messages from the client: what is kept from one PUBLISH for those that follow it.

    topic aliases       that the client has given to topics, so as not to send them again (MQTT 5 3.3.2.3.4)
    known topics        that it has published to before, and where their messages go: the loop of reading.py finds a
                        topic's bytes here, which saves checking and routing it again; retained messages have a
                        list of their own, since they take the way of publishing.py
    receive maximum     of messages of QoS 1 and 2 that aren't answered to the end (MQTT-3.3.4-7)

What is done with a message is told in publishing.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import clauses, reason_codes, versions
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.short_answers import PUBACK, PUBCOMP
from warren.adapters.mqtt.codec.topics import topic_name
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.mqtt.sessions.publishing import may_be_cut
from warren.core.routing.known_routes import KnownRoute, KnownRoutes, may_be_remembered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.adapters.mqtt.answers import Answers
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.core.clients.client import Client
    from warren.core.counters import SessionCounts
    from warren.core.messages.properties import Properties
    from warren.core.routing.route import Route

KNOWN_TOPICS_MAX: Final = 1024
"""Remembered topics per connection; one that varies them endlessly starts over."""

NOTHING_KNOWN: Final[Mapping[bytes, KnownRoute]] = {}


class KnownRetained(KnownRoute):
    """What retained messages to a topic led to.  topic, properties: as they are made of each of them."""

    __slots__ = ("properties", "route", "topic")

    def __init__(self, route: Route, counts: SessionCounts, topic: str, properties: Properties) -> None:
        super().__init__(route, counts)
        self.route = route
        self.topic = topic
        self.properties = properties


class Inflow:
    """Of one client.  known_topic_bytes_max: longer topics aren't remembered; below 0, none are."""

    __slots__ = (
        "_aliases",
        "_known",
        "_known_retained",
        "_known_topic_bytes_max",
        "agreed",
        "answers",
        "client",
        "session",
    )

    def __init__(
        self,
        client: Client,
        session: MqttSession,
        answers: Answers,
        known_topic_bytes_max: int,
    ) -> None:
        self.client = client
        self.session = session
        self.answers = answers
        self.agreed = answers.agreed
        self._known_topic_bytes_max = known_topic_bytes_max
        self._aliases: dict[int, str] | None = None
        self._known: KnownRoutes[KnownRoute] | None = None
        self._known_retained: KnownRoutes[KnownRetained] | None = None

    def topic(self, raw: bytes, alias: int) -> str:
        """The topic's name, by its alias if it comes without.

        alias: 0 for none.  Raises ProtocolViolation for an alias out of range or without a topic, MalformedPacket for
        what can't be a topic.
        """
        level = self.agreed.level
        if alias:
            return self._aliased(raw, alias)
        if not raw and level == versions.V5:
            raise ProtocolViolation(
                reason_codes.PROTOCOL_ERROR,
                clauses.TOPIC_OR_ALIAS.of(level),
                "the topic name is empty and there is no alias",
            )
        return topic_name(raw, level)

    def known_now(self) -> Mapping[bytes, KnownRoute]:
        """The remembered topics, all of which hold until something else than a publish is done."""
        known = self._known
        return NOTHING_KNOWN if known is None else known.now()

    def remember(self, raw_topic: bytes, route: Route) -> None:
        """Keep what a topic led to, if every message to it may be handled alike."""
        if self._may_be_remembered(raw_topic, route):
            if self._known is None:
                vhost = self.client.vhost
                self._known = KnownRoutes(vhost, KNOWN_TOPICS_MAX, vhost.broker.spare_routes)
            self._known.remember(raw_topic, KnownRoute(route, self.client.counts.own))

    def known_retained(self, flags: int, raw_topic: bytes) -> KnownRetained | None:
        """What an earlier retained message with these flags, to this topic and without properties, led to.

        Nothing for a client that wants none of its own messages: where those go depends on more.
        """
        known = self._known_retained
        if known is None or self.session.no_local_count:
            return None
        return known.now().get(_retained_key(flags, raw_topic))

    def remember_retained(self, flags: int, raw_topic: bytes, route: Route, topic: str, properties: Properties) -> None:
        """Keep what one led to, if all others may be handled alike."""
        if self._may_be_remembered(raw_topic, route):
            if self._known_retained is None:
                vhost = self.client.vhost
                self._known_retained = KnownRoutes(vhost, KNOWN_TOPICS_MAX, vhost.broker.spare_routes)
            known = KnownRetained(route, self.client.counts.own, topic, properties)
            self._known_retained.remember(_retained_key(flags, raw_topic), known)

    def _may_be_remembered(self, raw_topic: bytes, route: Route) -> bool:
        return (
            len(raw_topic) <= self._known_topic_bytes_max
            and not may_be_cut(route.address.routing_key)
            and may_be_remembered(self.client.vhost, route)
        )

    def check_receive_maximum(self) -> None:
        """One more message of QoS 1 or 2 comes: Refusal 0x93 when it is too many at once (MQTT-3.3.4-7).

        What waits for the disk is counted one by one only where all that waits, PUBREL among it, is too many.
        """
        if self.agreed.level != versions.V5:
            return
        most = self.agreed.receive_maximum
        after_flush = self.answers.after_flush
        unreleased = len(self.session.inbound)
        if after_flush.count + unreleased >= most and after_flush.count_of(_is_last) + unreleased >= most:
            raise Refusal(
                reason_codes.RECEIVE_MAXIMUM_EXCEEDED,
                f"more than {most} messages are not acknowledged, the receive maximum",
            )

    def end(self) -> None:
        """The connection ends: nothing is known any more."""
        if self._known is not None:
            self._known.forget()
        if self._known_retained is not None:
            self._known_retained.forget()
        self._known = self._known_retained = self._aliases = None

    def _aliased(self, raw: bytes, alias: int) -> str:
        most = self.agreed.client_alias_max
        if alias > most:
            raise ProtocolViolation(
                reason_codes.TOPIC_ALIAS_INVALID,
                "MQTT-3.3.2-9",
                f"the topic alias {alias} is more than {most}, the maximum",
            )
        aliases = self._aliases
        if not raw:
            known = aliases.get(alias) if aliases is not None else None
            if known is None:
                raise ProtocolViolation(
                    reason_codes.PROTOCOL_ERROR, "MQTT-3.3.2-7", f"the topic alias {alias} stands for nothing yet"
                )
            return known
        topic = topic_name(raw, self.agreed.level)
        if aliases is None:
            aliases = self._aliases = {}
        aliases[alias] = topic
        return topic


def _retained_key(flags: int, raw_topic: bytes) -> bytes:
    return bytes((flags,)) + raw_topic


def _is_last(answer: bytes) -> bool:
    """Whether this answer is a PUBACK or PUBCOMP, which lets the client send one message more."""
    return answer[0] in (PUBACK, PUBCOMP)
