"""One filter that a session is subscribed by, with its options (MQTT 5 3.8.3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON


class MqttSubscription:
    """Options are MQTT 5's; older clients have only the QoS.

    filter: as the client wrote it, `$share/NAME/` included; it names the subscription in its session.
    topic_filter: what topics are matched with, without the share name.  group: the share name, empty if it isn't
    shared.  queue_name: of `$queue/NAME`, else empty.  identifier: 0 for none.
    """

    __slots__ = (
        "filter",
        "group",
        "identifier",
        "no_local",
        "qos",
        "queue_name",
        "retain_as_published",
        "topic_filter",
    )

    def __init__(
        self,
        filter: str,
        topic_filter: str,
        *,
        group: str = "",
        queue_name: str = "",
        qos: int = 0,
        no_local: bool = False,
        retain_as_published: bool = False,
        identifier: int = 0,
    ) -> None:
        self.filter = filter
        self.topic_filter = topic_filter
        self.group = group
        self.queue_name = queue_name
        self.qos = qos
        self.no_local = no_local
        self.retain_as_published = retain_as_published
        self.identifier = identifier

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the topic filter."""
        return tuple(self.topic_filter.split("/"))

    @property
    def is_own(self) -> bool:
        """True when its messages come by the session's own queue."""
        return not self.group and not self.queue_name

    def row(self) -> dict[str, JSON]:
        """As a definition."""
        return {name: getattr(self, name) for name in self.__slots__}


def subscription_from(row: Mapping[str, JSON]) -> MqttSubscription:
    """The other way round; KeyError when something is missing."""
    return MqttSubscription(
        str(row["filter"]),
        str(row["topic_filter"]),
        group=str(row["group"]),
        queue_name=str(row["queue_name"]),
        qos=int(str(row["qos"])),
        no_local=row["no_local"] is True,
        retain_as_published=row["retain_as_published"] is True,
        identifier=int(str(row["identifier"])),
    )
