"""What all links have in common: a name, a handle, a role, and an end (part 2, 2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.expiry import Expiry

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach, Flow

NOT_KEPT: Final = Expiry()
"""Of most links: nothing is kept of them."""


class Link:
    """One end of a link, ours.

    handle: both ends use the same number.  is_sender: messages go from us to the peer.  expiry: how long what is
    unsettled is kept when it is detached.  address: of its terminus here, as the peer was told.  attached: how often it
    was attached, as far as it was kept in between.
    """

    is_sender = False

    def __init__(self, session: AmqpSession, attach: Attach) -> None:
        self.session = session
        self.name = attach.name
        self.handle = attach.handle
        self.expiry = NOT_KEPT
        self.address: str | None = None
        self.attached = 1

    def flow(self, flow: Flow) -> None:
        """The peer tells its state of the link."""

    def answered(self) -> None:
        """Its attach is answered."""

    def flush_batch(self) -> None:
        """All that was read is handled."""

    def alarms_changed(self) -> None:
        """Publishing is blocked, or isn't any more."""

    def end(self) -> None:
        """The link is gone."""
