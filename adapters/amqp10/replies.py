"""Direct reply-to: a link that answers come by, without a queue that anybody else could name (spec H.1).

A requester attaches a receiver with a dynamic source of the capability `rabbitmq:volatile-queue` and is told its
address, which is the `reply-to` of its requests.  It is the same kind of address as a 0-9-1 client's
`amq.rabbitmq.reply-to`, so requesters and responders of both protocols understand each other.  Answers come settled and
are kept nowhere: what the requester has no credit for waits in memory, the newest ones, and is gone with the link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.addresses import queue_address
from warren.adapters.amqp10.codec.errors import INVALID_FIELD, Level, PeerMistake
from warren.adapters.amqp10.codec.performatives import SETTLED
from warren.adapters.amqp10.expiry import LINK_DETACH, expiry_of
from warren.adapters.amqp10.outgoing_link import OutgoingLink
from warren.core.declaring.names import unguessable
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.vhost import REPLY_PREFIX

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach
    from warren.adapters.amqp10.codec.termini import Source

VOLATILE_QUEUE: Final = "rabbitmq:volatile-queue"
"""The capability of a source that asks for it."""

WAITING_MAX: Final = 1024
"""Answers that wait for credit; of more, the oldest are dropped."""


def is_for_replies(source: Source) -> bool:
    """Whether a source asks for direct reply-to."""
    return source.dynamic and VOLATILE_QUEUE in source.capabilities


class ReplyLink(OutgoingLink):
    """The requester's link."""

    def end(self) -> None:
        """Its address means nothing any more."""
        vhost = self.session.client.vhost
        vhost.remove_reply_queue(self.consumer.queue.name)
        vhost.changed()
        super().end()


def reply_link(session: AmqpSession, body: Attach, source: Source, made: Source) -> ReplyLink:
    """The link that a requester asks for; PeerMistake unless answers are to come settled, and to end with the link."""
    if body.snd_settle_mode != SETTLED or source.expiry_policy not in (None, LINK_DETACH) or source.durable:
        raise PeerMistake(
            INVALID_FIELD,
            "direct reply-to asks for snd-settle-mode settled, expiry-policy link-detach and durable none",
            Level.LINK,
        )
    vhost = session.client.vhost
    queue = ClassicQueue(vhost, REPLY_PREFIX + unguessable(), arguments={"x-max-length": WAITING_MAX})
    made.dynamic = True
    made.address = queue_address(queue.name)
    expiry_of(source, made, lasts=False)
    link = ReplyLink(session, body, queue, settled=True, arguments={})
    queue.add_consumer(link.consumer)
    vhost.add_reply_queue(queue)
    vhost.changed()
    return link
