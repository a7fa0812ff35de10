"""Virtual hosts, as list_vhosts shows them (spec F.3, F.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, on_request
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.counters import QUEUES_PER_SLICE, Counts, vhost_counts, vhost_counts_in_slices
from warren.core.routing.vhost_metadata import DEFAULT_QUEUE_TYPE, DESCRIPTION, PROTECTED, TAGS

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.routing.vhost import VirtualHost

TRACING = "tracing"
"""Kept with the metadata, and shown apart from it."""


class VhostRow(Row):
    """One virtual host."""

    __slots__ = ("_counts", "_kept_count", "_ready_count", "_unacked_count", "vhost")

    slow_names = frozenset({"message_stats", "message_rates", "messages", "messages_ready", "messages_unacknowledged"})

    def __init__(self, vhost: VirtualHost) -> None:
        self.vhost = vhost
        self._counts: Counts | None = None
        self._ready_count = self._unacked_count = self._kept_count = 0

    def prepare(self) -> Iterator[None]:
        """Add up what its queues count and hold."""
        if self._counts is not None:
            return
        self._counts = yield from vhost_counts_in_slices(self.vhost)
        for number, queue in enumerate(list(self.vhost.queues.values()), 1):
            self._ready_count += queue.ready_count
            self._unacked_count += queue.unacked_count
            # What readers of a stream have is there like the rest.
            self._kept_count += queue.kept_count - queue.untaken_count
            if number % QUEUES_PER_SLICE == 0:
                yield

    @property
    def exists(self) -> bool:
        """False once it is deleted, also if another of its name was made."""
        return self.vhost.broker.vhosts.get(self.vhost.name) is self.vhost

    @Column
    def name(self) -> str:
        """Its name."""
        return self.vhost.name

    @Column
    def description(self) -> object:
        """What it is for, in the administrator's words."""
        return self.vhost.metadata.get(DESCRIPTION)

    @Column
    def tags(self) -> object:
        """Texts that mean something to administrators."""
        return self.vhost.metadata.get(TAGS)

    @Column
    def default_queue_type(self) -> object:
        """The type of queues that are declared without one."""
        return self.vhost.metadata.get(DEFAULT_QUEUE_TYPE)

    @Column
    def tracing(self) -> bool:
        """Whether its firehose is on."""
        return self.vhost.tracing

    @Column
    def protected_from_deletion(self) -> bool:
        """Whether it can't be deleted."""
        return bool(self.vhost.metadata.get(PROTECTED))

    @Column
    def metadata(self) -> Mapping[str, object]:
        """Description, tags and default queue type, as far as they are set."""
        return {key: value for key, value in self.vhost.metadata.items() if key != TRACING}

    @on_request
    def messages(self) -> int:
        """Messages in its queues."""
        return self._kept_count

    @on_request
    def messages_ready(self) -> int:
        """Those of them that wait for a consumer."""
        return self._ready_count

    @on_request
    def messages_unacknowledged(self) -> int:
        """Those that were delivered and aren't settled."""
        return self._unacked_count

    @on_request
    def message_stats(self) -> Mapping[str, int]:
        """What happened to its messages: counts by name (core/counters.py), summed up over its queues."""
        return self._counts_now()

    @on_request
    def message_rates(self) -> Mapping[str, float]:
        """How fast these counts grow, per second; sampled from the first time on that somebody asks."""
        vhost, broker = self.vhost, self.vhost.broker
        return broker.rates.of(vhost.counts, self._counts_now, broker.now_ms, lambda: vhost_counts_in_slices(vhost))

    def _counts_now(self) -> Counts:
        return vhost_counts(self.vhost) if self._counts is None else self._counts


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[VhostRow]:
    return map(VhostRow, vhosts_among(broker, vhosts))


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return len(vhosts_among(broker, vhosts))


VHOSTS = Kind("vhosts", VhostRow, _rows, _count, shown=("name",), unknown=("cluster_state",))
