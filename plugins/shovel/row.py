"""What is said of a shovel: a line of `warren ctl shovel_status`, and of whoever else lists shovels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.plugin import Column, Row
from warren.plugins.shovel.mqtt_definition import MqttDestinationDefinition, MqttSourceDefinition
from warren.plugins.shovel.stomp_definition import StompDestinationDefinition, StompSourceDefinition

if TYPE_CHECKING:
    from warren.plugins.shovel.worker import Worker

SHOWN: Final = (
    "name",
    "vhost",
    "type",
    "state",
    "reason",
    "timestamp",
    "src_uri",
    "dest_uri",
    "forwarded",
    "lag_messages",
)
"""The columns that are shown to who asks for none."""


class ShovelRow(Row):
    """A line of `warren ctl shovel_status`."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @Column
    def name(self) -> str:
        """Its name."""
        return self.worker.name

    @Column
    def vhost(self) -> str:
        """The virtual host that it is declared in."""
        return self.worker.vhost

    @Column
    def type(self) -> str:
        """dynamic: by a runtime parameter; static: by the configuration."""
        return "static" if self.worker.static else "dynamic"

    @Column
    def state(self) -> str:
        """starting, running, blocked (by the destination) or terminated (it is tried again)."""
        return self.worker.state

    @Column
    def reason(self) -> str:
        """Why it isn't running; empty if it is."""
        return self.worker.reason or ""

    @Column
    def timestamp(self) -> str:
        """Since when it has been in its state, UTC."""
        return self.worker.since

    @Column
    def src_uri(self) -> str:
        """Where it takes messages from, without password and parameters."""
        return self.worker.source_uri.shown

    @Column
    def src_queue(self) -> str:
        """The queue there; empty for an exchange."""
        return self._of_source("queue")

    @Column
    def src_exchange(self) -> str:
        """The exchange there; empty for a queue."""
        return self._of_source("exchange")

    @Column
    def src_exchange_key(self) -> str:
        """The binding key to that exchange."""
        return self._of_source("exchange_key")

    @Column
    def src_address(self) -> str:
        """The address there, over AMQP 1.0."""
        return self._of_source("address")

    @Column
    def src_topics(self) -> str:
        """The topic filters there, over MQTT."""
        source = self.worker.definition.source
        return " ".join(source.topics) if isinstance(source, MqttSourceDefinition) else ""

    @Column
    def src_destination(self) -> str:
        """The destinations there, over STOMP."""
        source = self.worker.definition.source
        return " ".join(source.destinations) if isinstance(source, StompSourceDefinition) else ""

    @Column
    def dest_uri(self) -> str:
        """Where it brings them."""
        return self.worker.destination_uri.shown

    @Column
    def dest_queue(self) -> str:
        """The queue there; empty for an exchange."""
        return self._of_destination("queue")

    @Column
    def dest_exchange(self) -> str:
        """The exchange there; empty for a queue, or for each message's own."""
        return self._of_destination("exchange")

    @Column
    def dest_exchange_key(self) -> str:
        """The routing key there; empty for each message's own."""
        return self._of_destination("exchange_key")

    @Column
    def dest_address(self) -> str:
        """The address there, over AMQP 1.0."""
        return self._of_destination("address")

    @Column
    def dest_topic(self) -> str:
        """The topic there, over MQTT, where `{topic}` is each message's own."""
        destination = self.worker.definition.destination
        return destination.renaming.template if isinstance(destination, MqttDestinationDefinition) else ""

    @Column
    def dest_destination(self) -> str:
        """The destination there, over STOMP, where `{destination}` and the like are each message's own."""
        destination = self.worker.definition.destination
        return destination.destination if isinstance(destination, StompDestinationDefinition) else ""

    @Column
    def pending(self) -> int:
        """Messages under way: sent, and not yet confirmed."""
        return self.worker.pending

    @Column
    def remaining(self) -> int:
        """Messages that are still to be moved; -1 without an end."""
        remaining = self.worker.remaining
        return -1 if remaining is None else remaining

    @Column
    def forwarded(self) -> int:
        """Messages that it has moved since the broker started."""
        return self.worker.forwarded

    @Column
    def left_out(self) -> int:
        """Messages that weren't sent on since the broker started: the filter left them out, or they had been there."""
        return self.worker.left_out

    @Column
    def dead_lettered(self) -> int:
        """Messages that were given up since the broker started, refused too often (`dead-letter-after`)."""
        return self.worker.dead_lettered

    @Column
    def unstamped(self) -> int:
        """Messages since the broker started that got no value of `dest-deduplication-header`."""
        return self.worker.unstamped

    @Column
    def lag_messages(self) -> int | None:
        """Messages that wait at the source or are under way; none where it can't tell, as over MQTT."""
        return self.worker.lag.messages

    @Column
    def lag_bytes(self) -> int | None:
        """The bytes of their bodies; none for a source that isn't a queue of this broker."""
        return self.worker.lag.bytes

    @Column
    def lag_seconds(self) -> float | None:
        """The age of the oldest of them; none as lag_bytes."""
        return _rounded(self.worker.lag.seconds, 3)

    @Column
    def withheld(self) -> int:
        """Messages whose publishers wait for the destination's word (`confirm-upstream`)."""
        return self.worker.withheld

    @Column
    def rate(self) -> float:
        """Messages a second that it moves, smoothed over ten seconds or so."""
        return round(self.worker.lag.rate, 2)

    @Column
    def drain_seconds(self) -> float | None:
        """When nothing will wait any more if all goes on as it does; none where that isn't known, or never comes."""
        return _rounded(self.worker.lag.drain_seconds, 1)

    def _of_source(self, name: str) -> str:
        """What only AMQP's ends have; empty for the others."""
        return getattr(self.worker.definition.source, name, None) or ""

    def _of_destination(self, name: str) -> str:
        return getattr(self.worker.definition.destination, name, None) or ""


def _rounded(figure: float | None, digits: int) -> float | None:
    return None if figure is None else round(figure, digits)
