"""What `warren ctl federation_status` says of a link, with RabbitMQ's columns (spec E.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.gateway.plugin import Column, Row

if TYPE_CHECKING:
    from warren.plugins.federation.link import Link


class LinkRow(Row):
    """A link."""

    def __init__(self, link: Link) -> None:
        self.link = link

    @Column
    def exchange(self) -> str:
        """The federated exchange; empty for a queue."""
        return self._here("exchange")

    @Column
    def queue(self) -> str:
        """The federated queue; empty for an exchange."""
        return self._here("queue")

    @Column
    def upstream_exchange(self) -> str:
        """What the exchange is called at the upstream."""
        return self._there("exchange")

    @Column
    def upstream_queue(self) -> str:
        """What the queue is called at the upstream."""
        return self._there("queue")

    @Column
    def type(self) -> str:
        """exchange or queue."""
        return self.link.key.target.kind

    @Column
    def vhost(self) -> str:
        """The virtual host here."""
        return self.link.key.target.vhost

    @Column
    def upstream(self) -> str:
        """The upstream's name."""
        return self.link.key.upstream

    @Column
    def id(self) -> str:
        """What restart_federation_link is given."""
        return self.link.key.id

    @Column
    def status(self) -> str:
        """starting, running, error (it is tried again) or shutdown (it isn't wanted any more, and cleans up)."""
        return self.link.status

    @Column
    def error(self) -> str:
        """Why it doesn't run, or why nothing can be published here just now; empty if all is well."""
        return self.link.error

    @Column
    def uri(self) -> str:
        """Where the upstream is, without password and parameters."""
        return self.link.ground.uri.shown

    @Column
    def timestamp(self) -> str:
        """Since when it has been in its state, UTC."""
        return self.link.since

    @Column
    def local_connection(self) -> str:
        """The client that publishes here, as list_connections names it."""
        return self.link.ground.local_connection

    @Column
    def consumer_tag(self) -> str:
        """Of the consumer at the upstream."""
        return self.link.work.tag

    @Column
    def forwarded(self) -> int:
        """Messages that have come over it since it was made."""
        return self.link.ground.forwarded

    @Column
    def dropped(self) -> int:
        """Messages that came and weren't to: they had been here before, or had come over too many links."""
        return self.link.ground.dropped

    def _here(self, kind: str) -> str:
        return self.link.key.target.name if self.link.key.target.kind == kind else ""

    def _there(self, kind: str) -> str:
        return self.link.key.there if self.link.key.target.kind == kind else ""
