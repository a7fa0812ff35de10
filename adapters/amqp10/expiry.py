"""How long what a link leaves unsettled is kept for its being attached again (part 3, 3.5.3 to 3.5.6).

A terminus says by its expiry policy from when on its timeout counts: from the detaching of the link, the end of the
session, or the close of the connection; or that it never does.  What says nothing is kept no longer than its link, and
the answer to its attach says so: most clients never mean to resume, and give back by detaching what they haven't
settled.  Nothing of it outlives the broker, so the answer's `durable` is always none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec.errors import INVALID_FIELD, Level, PeerMistake

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.termini import Source, Target

LINK_DETACH: Final = "link-detach"
SESSION_END: Final = "session-end"
CONNECTION_CLOSE: Final = "connection-close"
NEVER: Final = "never"

_ORDER: Final = (LINK_DETACH, SESSION_END, CONNECTION_CLOSE, NEVER)


class Expiry:
    """policy: one of the four.  timeout_ms: how long something is kept from then on."""

    __slots__ = ("policy", "timeout_ms")

    def __init__(self, policy: str = LINK_DETACH, timeout_ms: int = 0) -> None:
        self.policy = policy
        self.timeout_ms = timeout_ms

    @property
    def outlives_link(self) -> bool:
        """Whether there is anything to keep when the link is detached."""
        return self.policy != LINK_DETACH or self.timeout_ms > 0

    def begins_with(self, event: str) -> bool:
        """Whether the timeout counts from such an end on, or from one that comes before it."""
        return _ORDER.index(self.policy) <= _ORDER.index(event)


def expiry_of(asked: Source | Target, made: Source | Target, *, lasts: bool = True) -> Expiry:
    """What a terminus asks for, written into the answer's; PeerMistake for a policy that there isn't.

    lasts: False where there is nothing to resume.  A queue of the connection's own is never kept longer than that.
    """
    if asked.expiry_policy is not None and asked.expiry_policy not in _ORDER:
        raise PeerMistake(
            INVALID_FIELD,
            f"the expiry policy '{asked.expiry_policy[:40]}'; there is none such",
            Level.LINK,
            clause="3.5.6",
        )
    expiry = Expiry()
    if lasts and asked.expiry_policy is not None:
        expiry = Expiry(asked.expiry_policy, asked.timeout * 1000)
        if made.dynamic and expiry.policy == NEVER:
            expiry = Expiry(CONNECTION_CLOSE)
    made.expiry_policy = expiry.policy
    made.timeout = expiry.timeout_ms // 1000
    return expiry
