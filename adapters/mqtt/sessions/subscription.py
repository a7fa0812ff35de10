"""One filter that a session is subscribed by, with its options (MQTT 5 3.8.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.stream_reading import StreamReading, reading_from

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

LEVELS_FREE: Final = 100
"""Levels that a topic filter may have like any other; each takes memory twice, in the session and in the exchange."""


class MqttSubscription:
    """Options are MQTT 5's; older clients have only the QoS.

    filter: as the client wrote it, `$share/NAME/` included; it names the subscription in its session.
    topic_filter: what topics are matched with, without the share name.  group: the share name, empty if it isn't
    shared.  queue_name: of `$queue/NAME` or `$stream/NAME`, else empty.  stream: how the latter is read.  identifier: 0
    for none.  binding_key: what the filter is called in AMQP, once somebody has asked for it.  row_number: where it is
    in the definitions, 0 if it isn't.
    """

    __slots__ = (
        "binding_key",
        "filter",
        "group",
        "identifier",
        "no_local",
        "qos",
        "queue_name",
        "retain_as_published",
        "row_number",
        "stream",
        "topic_filter",
    )

    def __init__(
        self,
        filter: str,
        topic_filter: str,
        qos: int = 0,
        no_local: bool = False,
        retain_as_published: bool = False,
        identifier: int = 0,
        group: str = "",
        queue_name: str = "",
        stream: StreamReading | None = None,
    ) -> None:
        self.filter = filter
        self.topic_filter = topic_filter
        self.group = group
        self.queue_name = queue_name
        self.stream = stream
        self.qos = qos
        self.no_local = no_local
        self.retain_as_published = retain_as_published
        self.identifier = identifier
        self.binding_key = ""
        self.row_number = 0

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the topic filter."""
        return tuple(self.topic_filter.split("/"))

    @property
    def has_wildcards(self) -> bool:
        """True when the topic filter can match more than one topic (4.7.1)."""
        return self.topic_filter.endswith("#") or "+" in self.topic_filter

    @property
    def is_own(self) -> bool:
        """True when its messages come by the session's own queue."""
        return not self.group and not self.queue_name

    def row(self) -> JSON:
        """As a definition: the filter and its QoS, and what isn't usual about it."""
        if self.topic_filter == self.filter and not (
            self.queue_name or self.no_local or self.retain_as_published or self.identifier
        ):
            return [self.filter, self.qos]
        row: dict[str, JSON] = {"filter": self.filter, "qos": self.qos}
        if self.topic_filter != self.filter:
            row["topic_filter"] = self.topic_filter
        if self.group:
            row["group"] = self.group
        if self.queue_name:
            row["queue_name"] = self.queue_name
        if self.stream is not None:
            row["stream"] = self.stream.row()
        if self.no_local:
            row["no_local"] = True
        if self.retain_as_published:
            row["retain_as_published"] = True
        if self.identifier:
            row["identifier"] = self.identifier
        return row


def deep_levels(topic_filter: str) -> int:
    """The levels of a filter beyond the usual."""
    return max(topic_filter.count("/") + 1 - LEVELS_FREE, 0) if len(topic_filter) >= LEVELS_FREE else 0


def subscription_from(row: JSON) -> MqttSubscription:
    """The other way round; KeyError or ValueError when something is missing."""
    if isinstance(row, list):
        filter, qos = row
        return MqttSubscription(str(filter), str(filter), qos=int(str(qos)))
    if not isinstance(row, dict):
        raise ValueError(f"{row!r} is no subscription")
    filter = str(row["filter"])
    return MqttSubscription(
        filter,
        str(row.get("topic_filter", filter)),
        group=str(row.get("group", "")),
        queue_name=str(row.get("queue_name", "")),
        stream=reading_from(row.get("stream")),
        qos=int(str(row["qos"])),
        no_local=row.get("no_local") is True,
        retain_as_published=row.get("retain_as_published") is True,
        identifier=int(str(row.get("identifier", 0))),
    )
