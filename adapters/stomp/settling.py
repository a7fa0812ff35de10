"""ACK and NACK: which deliveries they mean, and what that means for the queues (spec B.7).

A message id, `T_ID@@SESSION@@TAG`, says itself which subscription and delivery it belongs to.  With ack:client, an ACK
settles everything that the session was given before it, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.session.deliveries import Verdict
from warren.adapters.stomp.codec.errors import StompError, quoted
from warren.adapters.stomp.codec.escaping import V1_2
from warren.adapters.stomp.codec.limits import NUMBER_DIGITS_MAX
from warren.adapters.stomp.message_headers import boolean
from warren.adapters.stomp.subscription import Subscription

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession


class Settlement:
    """What an ACK or NACK asks for."""

    __slots__ = ("multiple", "tag", "verdict")

    def __init__(self, tag: int, multiple: bool, verdict: Verdict) -> None:
        self.tag = tag
        self.multiple = multiple
        self.verdict = verdict


def settlement_of(session: StompSession, frame: Frame, *, positive: bool) -> Settlement:
    """What the frame asks for; StompError when it names no delivery of this session."""
    header = "id" if session.version == V1_2 else "message-id"
    text = frame.headers.get(header)
    if text is None:
        raise StompError(
            "Missing header",
            f'"{frame.command}" must include the "{header}" header',
            f"with the value of '{'ack' if header == 'id' else 'message-id'}' in the MESSAGE",
        )
    parts = text.rsplit("@@", 2)
    if len(parts) != 3 or not (parts[2].isascii() and parts[2].isdecimal() and len(parts[2]) <= NUMBER_DIGITS_MAX):
        raise StompError(
            "Invalid header",
            f'"{frame.command}" must include a valid "{header}" header',
            f"'{quoted(text)}' is no message id; copy it from the MESSAGE as it is",
        )
    tag = int(parts[2])
    found = session.deliveries.unacked.get(tag)
    subscription = found[2] if found is not None else None
    if parts[1] != session.id or not isinstance(subscription, Subscription) or subscription.tag != parts[0]:
        raise not_found(text) if parts[0] in session.subscriptions else _no_subscription(text)
    if positive:
        return Settlement(tag, subscription.cumulative, "ack")
    requeue = boolean(frame.headers, "requeue")
    if requeue is None:
        requeue = session.settings.nack_requeues
    return Settlement(tag, subscription.cumulative, "return" if requeue else "discard")


def not_found(text: str) -> StompError:
    """The error for an id that means nothing here."""
    return StompError(
        "Message not found",
        f"'{quoted(text)}' is not waiting for an acknowledgement in this session: it was settled before, "
        "delivered with ack:auto, or belongs to another session",
    )


def _no_subscription(text: str) -> StompError:
    return StompError(
        "Subscription not found",
        f'Message with id "{quoted(text)}" has no subscription',
        "there is none of this id in this session that a message waits for",
    )


def settle_now(session: StompSession, settlement: Settlement) -> None:
    """Do it; the delivery is known to be there."""
    session.deliveries.settle_up_to(settlement.tag, settlement.verdict, multiple=settlement.multiple)
