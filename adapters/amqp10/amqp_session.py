"""A session (part 2, 2.5): its windows, its links, and the numbers of deliveries.

Both directions count deliveries by themselves.  What we send is numbered by the delivery tags of
adapters.session.deliveries, which only grow; a delivery-id is the lower 32 bits of one less.  What we receive has the
ids that the peer gives; that a message is safe is told for runs of ids together, at the end of a batch or when a flush
is on disk.

Transfers count against the session's window, frame by frame.  We open ours anew when half of it is used; when the
peer's is used up, consumers wait in `parked`, and the rest of a message that is larger than the window in `unsent`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.attaching import attach_link
from warren.adapters.amqp10.codec import quick
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.errors import (
    ERRANT_LINK,
    NOT_ALLOWED,
    STOLEN,
    UNATTACHED_HANDLE,
    WINDOW_VIOLATION,
    Level,
    PeerMistake,
)
from warren.adapters.amqp10.codec.performatives import (
    HANDLES_MOST,
    Attach,
    Begin,
    Detach,
    Disposition,
    End,
    Flow,
    Transfer,
)
from warren.adapters.amqp10.codec.termini import Released
from warren.adapters.amqp10.conditions import told
from warren.adapters.amqp10.expiry import LINK_DETACH, SESSION_END
from warren.adapters.amqp10.incoming_link import IncomingLink
from warren.adapters.amqp10.outcomes import settle_range
from warren.adapters.amqp10.outgoing_link import OutgoingLink
from warren.adapters.amqp10.ranges import runs
from warren.adapters.amqp10.resuming import closed, session_ends, suspend_links
from warren.adapters.amqp10.safe import Safe
from warren.adapters.amqp10.unsent import Unsent
from warren.adapters.session.deliveries import Deliveries
from warren.core.counters import SessionCounts
from warren.core.declaring.queues import end_consumers

if TYPE_CHECKING:
    from warren.adapters.amqp10.connection import Connection
    from warren.adapters.amqp10.link import Link
    from warren.adapters.amqp10.outgoing_link import LinkConsumer
    from warren.core.clients.outbox import Resumable
    from warren.core.queues.consumer import Consumer

INCOMING_WINDOW: Final = 2048
"""Frames that a peer may send before it hears from us; more than a link has credit for, so that it is the credit that
is told of, and seldom the window alone."""

OUTGOING_WINDOW: Final = 0x7FFF_FFFF
"""We keep nothing for sending it again, so our own window is no limit (2.5.6)."""

IDS: Final = 0xFFFF_FFFF
"""Numbers wrap at 32 bits (2.8.8)."""


class AmqpSession:
    """One session; made by beginning.py.

    links: by handle.  touched: those that may have something to say when all that was read is handled.  draining:
    consumers whose peer wants to have what there is.  window: frames that the peer still takes.  unsent: messages of
    several frames that wait for that.  parked: who waits for it, too.
    incoming_window: frames that the peer may still send.
    """

    def __init__(self, connection: Connection, channel: int, body: Begin) -> None:
        self.connection = connection
        self.channel = channel
        self.client = connection.logged_in
        self.links: dict[int, Link] = {}
        self.handle_max = min(connection.settings.links_max - 1, body.handle_max)
        self.deliveries = Deliveries(self._delivery_timed_out, connection.settling)
        self.counts = SessionCounts(self.client.vhost, self.deliveries.unacknowledged)
        self.deliveries.counts = self.counts
        self.safe = Safe(self)
        self.window = body.incoming_window
        self.unsent = Unsent(self)
        self.parked: dict[Resumable, None] = {}
        self.detaching: set[int] = set()
        self.touched: dict[Link, None] = {}
        self.draining: dict[LinkConsumer, None] = {}
        self.ended = False
        self.next_incoming_id = body.next_outgoing_id
        self.incoming_window = INCOMING_WINDOW
        self.next_outgoing_id = 0
        self.remote_outgoing_window = body.outgoing_window

    def answer(self) -> Begin:
        """Our begin."""
        made = Begin()
        made.remote_channel = self.channel
        made.next_outgoing_id = self.next_outgoing_id
        made.incoming_window = INCOMING_WINDOW
        made.outgoing_window = OUTGOING_WINDOW
        made.handle_max = min(self.connection.settings.links_max - 1, HANDLES_MOST)
        return made

    def begin(self) -> None:
        """It counts as a channel."""
        self.counts = self.client.counts.begin(self.counts)

    @property
    def name(self) -> str:
        """The connection's name and the channel, as listings show it."""
        return f"{self.connection.name} ({self.channel})"

    # Frames

    def performative(self, body: object, payload: bytes) -> None:
        """A performative of the session or one of its links, but for the two that come most."""
        connection = self.connection
        if isinstance(body, Attach):
            connection.attempt(self, None, partial(attach_link, self, body))
        elif isinstance(body, Flow):
            connection.attempt(self, None, partial(self._flow, body))
        elif isinstance(body, Detach):
            connection.attempt(self, None, partial(self._peer_detaches, body))
        elif isinstance(body, End):
            self.close(End())
        elif isinstance(body, Transfer):
            self.transfer(body, payload)
        elif isinstance(body, Disposition):
            self.disposition(body)
        else:
            raise PeerMistake(NOT_ALLOWED, f"a {type(body).__name__} is no performative of a session", clause="2.7")

    def incoming(self, frames: int) -> None:
        """So many frames of messages have come."""
        self.next_incoming_id = (self.next_incoming_id + frames) & IDS
        self.incoming_window -= frames

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """A frame of a message."""
        self.incoming(1)
        link = self.links.get(transfer.handle)
        if self.incoming_window < 0:
            mistake = PeerMistake(WINDOW_VIOLATION, "a transfer beyond the incoming window", Level.SESSION)
            self.connection.fail(mistake, self, None)
        elif link is None:
            if transfer.handle not in self.detaching:
                self._no_link(transfer.handle)
        elif isinstance(link, IncomingLink):
            self.touch_link(link)
            link.transfer(transfer, payload)
        else:
            mistake = PeerMistake(ERRANT_LINK, "a transfer to the end of a link that sends", Level.SESSION)
            self.connection.fail(mistake, self, None)

    def _no_link(self, handle: int) -> None:
        mistake = PeerMistake(UNATTACHED_HANDLE, f"no link is attached with the handle {handle}", Level.SESSION)
        self.connection.fail(mistake, self, None)

    def disposition(self, body: Disposition) -> None:
        """The peer settles deliveries, or says what becomes of them."""
        if not body.role:
            # A sender settles what we, as the receiver, settled or will settle by ourselves, or wait for it to settle.
            if body.settled:
                count = (((body.first if body.last is None else body.last) - body.first) & IDS) + 1
                for link in self.links.values():
                    if isinstance(link, IncomingLink) and link.taken:
                        link.sender_settles(body.first, count)
            return
        self.touch()
        self.connection.attempt(self, None, partial(settle_range, self, body))

    def steal(self, link: Link) -> None:
        """The link is attached somewhere else: what is unsettled on it goes there."""
        suspend_links(self, [link], LINK_DETACH)
        mistake = PeerMistake(STOLEN, "the link was attached again", Level.LINK, clause="2.6.1")
        self.connection.fail(mistake, self, link)

    def _flow(self, body: Flow) -> None:
        if body.next_incoming_id is None:
            self.window = body.incoming_window
        else:
            sent_since = (self.next_outgoing_id - body.next_incoming_id) & IDS
            if sent_since > IDS // 2:
                raise PeerMistake(
                    WINDOW_VIOLATION, "next-incoming-id is ahead of what was sent", Level.SESSION, clause="2.5.6"
                )
            self.window = max(body.incoming_window - sent_since, 0)
        self.unsent.send()
        if body.handle is not None:
            link = self.links.get(body.handle)
            if link is None and body.handle in self.detaching:
                return
            if link is None:
                raise PeerMistake(
                    UNATTACHED_HANDLE, f"no link is attached with the handle {body.handle}", Level.SESSION
                )
            link.flow(body)
        elif body.echo:
            self.send_flow(Flow())

    def send_flow(self, made: Flow) -> None:
        """Send a flow with the state of the session, and that of a link if it has one."""
        self.incoming_window = INCOMING_WINDOW
        made.next_incoming_id = self.next_incoming_id
        made.incoming_window = self.incoming_window
        made.next_outgoing_id = self.next_outgoing_id
        made.outgoing_window = OUTGOING_WINDOW
        self.connection.send(self.channel, made)

    def touch(self) -> None:
        """Something is to be said at the end of the batch."""
        self.connection.touched[self] = None

    def touch_link(self, link: Link) -> None:
        """A link may have something to say then."""
        self.touched[link] = None
        self.connection.touched[self] = None

    def flush_batch(self) -> None:
        """All that was read is handled: say what belongs together."""
        if self.ended:
            return
        self.safe.flush_batch()
        if self.touched:
            touched, self.touched = self.touched, {}
            for link in touched:
                if self.links.get(link.handle) is link:
                    link.flush_batch()
        if self.incoming_window <= INCOMING_WINDOW // 2:
            self.send_flow(Flow())

    def alarms_changed(self) -> None:
        """Publishing is blocked, or isn't any more."""
        for link in self.links.values():
            link.alarms_changed()

    # Sending messages

    def sent(self, frames: int) -> None:
        """So many frames of messages went out."""
        self.next_outgoing_id = (self.next_outgoing_id + frames) & IDS
        self.window -= frames

    @property
    def has_room(self) -> bool:
        """Whether the next message can be sent, as far as the session is concerned."""
        return self.window > 0 and not self.unsent

    def resume_parked(self) -> None:
        """Who waits for room goes on, if there is some."""
        if self.parked and self.has_room:
            parked, self.parked = self.parked, {}
            for consumer in parked:
                consumer.resume()

    def drain_later(self, consumer: LinkConsumer) -> None:
        """Look at it in a later turn; all of the session's together, however often they are asked for."""
        if not self.draining:
            self.connection.broker.chores.add(self._drained_later)
        self.draining[consumer] = None

    def _drained_later(self) -> bool:
        draining, self.draining = self.draining, {}
        for consumer in draining if not self.ended else ():
            consumer.drained_later()
        return False

    def delivery_id(self, tag: int) -> int:
        """The id of a delivery of ours."""
        return (tag - 1) & IDS

    def tag_of(self, delivery_id: int) -> int:
        """The delivery tag that an id stands for: the latest that has it."""
        last = self.deliveries.delivery_tag
        return last - ((last - 1 - delivery_id) & IDS)

    def settled(self, first: int, last: int, state: object) -> None:
        """Tell the peer that deliveries of ours are settled."""
        self.connection.outbox.write(
            quick.disposition(self.channel, receiver=False, first=first, last=last, state=encode_composite(state))
        )

    def _delivery_timed_out(self, consumer: Consumer, timeout_ms: int) -> None:
        """A delivery was kept too long: what the link has returns, and the link stays (spec H.1)."""
        self.deliveries.time_out(consumer, self._tell_released)

    def _tell_released(self, tags: list[int]) -> None:
        if self.ended:
            return
        for first, last in runs(tags):
            self.settled(self.delivery_id(first), self.delivery_id(last), Released())

    # Ends

    def detach(self, link: Link, mistake: PeerMistake) -> None:
        """End a link with an error."""
        if self._removed(link.handle) is None:
            return
        closed(self, link)
        link.end()
        self.touch()
        self.detaching.add(link.handle)
        self._say(Detach(link.handle, closed=True, error=told(mistake)))

    def add(self, link: Link) -> None:
        """A link is attached."""
        self.links[link.handle] = link
        self.connection.links[link.name, link.is_sender] = link
        self.touch_link(link)

    def _removed(self, handle: int) -> Link | None:
        """The link of this handle, which isn't attached any more."""
        link = self.links.pop(handle, None)
        if link is not None:
            del self.connection.links[link.name, link.is_sender]
            self.touched.pop(link, None)
        return link

    def _peer_detaches(self, body: Detach) -> None:
        link = self._removed(body.handle)
        if link is None:
            if body.handle in self.detaching:
                self.detaching.discard(body.handle)
                return
            raise PeerMistake(
                UNATTACHED_HANDLE, f"no link is attached with the handle {body.handle}", Level.SESSION, clause="2.8.17"
            )
        if body.closed:
            closed(self, link)
        else:
            suspend_links(self, [link], LINK_DETACH)
        link.end()
        self.safe.flush_batch()
        self._say(Detach(body.handle, closed=body.closed))

    def fail(self, mistake: PeerMistake) -> None:
        """End the session with an error."""
        self.connection.ending.add(self.channel)
        self.close(End(told(mistake)))

    def close(self, last: End) -> None:
        """End the session."""
        self.connection.sessions.pop(self.channel, None)
        self.safe.flush_batch()
        self.end()
        self.client.close_channel()
        self._say(last)

    def _say(self, last: object) -> None:
        """Tell the peer that a link or the session has ended, when what it had is back in its queues."""
        self.connection.settling.then(partial(self._say_now, last))

    def _say_now(self, last: object) -> None:
        if not self.connection.closed:
            self.connection.send(self.channel, last)

    def consumers(self) -> list[Consumer]:
        """Those of its links."""
        return [link.consumer for link in self.links.values() if isinstance(link, OutgoingLink)]

    def end(self) -> None:
        """Links go, what isn't settled returns to its queues, open transactions are void."""
        if self.ended:
            return
        suspend_links(self, self.links.values(), SESSION_END)
        self.ended = True
        end_consumers(self.consumers(), self.connection.settling.begin)
        for handle in list(self.links):
            link = self._removed(handle)
            if link is not None:
                link.end()
        self.unsent.clear()
        self.parked.clear()
        self.touched.clear()
        taken = self.connection.transactions.session_ends(self)
        self.deliveries.give_back(taken)
        self.safe.end()
        self.connection.touched.pop(self, None)
        session_ends(self)
        self.connection.settling.then(partial(self.client.counts.end, self.counts))
