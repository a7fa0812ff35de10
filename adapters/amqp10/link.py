"""What all links have in common: a name, a handle, a role, and an end (part 2, 2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach, Flow


class Link:
    """One end of a link, ours.  handle: both ends use the same number.  is_sender: messages go from us to the peer."""

    is_sender = False

    def __init__(self, session: AmqpSession, attach: Attach) -> None:
        self.session = session
        self.name = attach.name
        self.handle = attach.handle

    def flow(self, flow: Flow) -> None:
        """The peer tells its state of the link."""

    def flush_batch(self) -> None:
        """All that was read is handled."""

    def alarms_changed(self) -> None:
        """Publishing is blocked, or isn't any more."""

    def end(self) -> None:
        """The link is gone."""
