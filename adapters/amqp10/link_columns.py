"""The columns of links, attached or suspended (link_listing.py)."""

from __future__ import annotations

from warren.core.administration.listing.column import Column, Row


class LinkRow(Row):
    """One link, attached or suspended."""

    __slots__ = ()

    @Column
    def name(self) -> str:
        """Its name."""
        return self.link_name

    @Column
    def link_name(self) -> str:
        """The same, as RabbitMQ calls it."""
        return ""

    @Column
    def connection(self) -> str | None:
        """The name of its connection."""
        return None

    @Column
    def session(self) -> int | None:
        """The channel number of its session."""
        return None

    @Column
    def handle(self) -> int | None:
        """Its handle."""
        return None

    @Column
    def role(self) -> str:
        """sender or receiver: which of them the client is."""
        return ""

    @Column
    def state(self) -> str:
        """attached or suspended."""
        return "suspended"

    @Column
    def vhost(self) -> str:
        """The virtual host."""
        return ""

    @Column
    def user(self) -> str:
        """Who attached it."""
        return ""

    @Column
    def container_id(self) -> str:
        """What its client calls itself."""
        return ""

    @Column
    def source_address(self) -> str | None:
        """Where messages come from that the client receives."""
        return None

    @Column
    def target_address(self) -> str | None:
        """Where messages go that the client sends; null where each says its own."""
        return None

    @Column
    def queue_name(self) -> str | None:
        """The queue that the client receives from."""
        return None

    @Column
    def snd_settle_mode(self) -> str | None:
        """settled, or unsettled."""
        return None

    @Column
    def send_settled(self) -> bool | None:
        """Whether messages are settled when they are sent to the client."""
        return None

    @Column
    def max_message_size(self) -> int | None:
        """The largest message in bytes."""
        return None

    @Column
    def delivery_count(self) -> int | None:
        """Messages so far, as the link counts them."""
        return None

    @Column
    def credit(self) -> int | None:
        """How many more may be sent."""
        return None

    @Column
    def unconfirmed_messages(self) -> int | None:
        """Messages that the client has sent and that aren't safe yet."""
        return None

    @Column
    def unsettled(self) -> int | None:
        """Deliveries that are kept of a suspended one; null for one that is attached."""
        return None

    @Column
    def expiry_policy(self) -> str:
        """From when on its timeout counts: link-detach, session-end, connection-close or never."""
        return ""

    @Column
    def expiry_timeout(self) -> int:
        """For how many seconds it is kept from then on."""
        return 0

    @Column
    def expires_at(self) -> int | None:
        """When a suspended one goes, or its messages do, in milliseconds since 1970; null for never."""
        return None
