"""A link that we receive by: credit, and messages put together from their frames (part 2, 2.6.7 and 2.6.14).

Who sends is given credit for `amqp10_link_credit` messages that aren't safe yet, so what can be on its way is bounded,
also of messages that come settled.  New credit is given when half of it is used.  An alarm that blocks publishing is no
new credit until it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.codec import quick
from warren.adapters.amqp10.codec.constants import TAG_BYTES_MAX
from warren.adapters.amqp10.codec.errors import (
    INVALID_FIELD,
    MESSAGE_SIZE_EXCEEDED,
    NOT_IMPLEMENTED,
    TRANSFER_LIMIT_EXCEEDED,
    Level,
    PeerMistake,
)
from warren.adapters.amqp10.codec.performatives import SECOND, SETTLED, Flow
from warren.adapters.amqp10.codec.termini import TransactionalState
from warren.adapters.amqp10.link import Link
from warren.adapters.amqp10.ranges import LOOKED_AT_PER_COMMAND
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from collections.abc import Container

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach, Transfer

BYTES_PER_COMMAND: Final = 32
"""Of what stands in front of a message's body and is taken apart value by value; so many take as long as a command of
a turn's ration (adapters.session.ration)."""

PARTS_MAX: Final = 64
"""Parts of a message that are kept one by one; a small one takes more memory by itself than within others."""

_IDS: Final = 0xFFFF_FFFF


class Taken:
    """A delivery that the sender hasn't settled.  state: what became of it, encoded; empty while that isn't known.

    link: that it belongs to; None while that is suspended, or the sender hasn't resumed it.
    """

    __slots__ = ("delivery_id", "link", "state", "tag")

    def __init__(self, tag: bytes, link: IncomingLink, delivery_id: int) -> None:
        self.tag = tag
        self.link: IncomingLink | None = link
        self.delivery_id = delivery_id
        self.state = b""


class IncomingLink(Link):
    """See the head of this file; subclasses say what becomes of a message (`message`).

    credit: messages that the peer may still send.  unconfirmed: those that came and aren't safe.  taken: what came and
    isn't settled, by delivery tags, where that is to be known (`remembers`): of links that may be resumed, and of those
    whose receiver settles second.
    presettled: all of them come settled.
    """

    def __init__(self, session: AmqpSession, attach: Attach, credit_max: int) -> None:
        super().__init__(session, attach)
        self.credit = 0
        self.unconfirmed = 0
        self._credit_max = credit_max
        self.delivery_count = attach.initial_delivery_count or 0
        self.presettled = attach.snd_settle_mode == SETTLED
        self._parts: list[bytes] = []
        self._joined: bytearray | None = None
        self._bytes = 0
        self._delivery_id = -1
        self._settled = False
        self._state: Any = None
        self._tag = b""
        self._is_resumed = False
        self._settles_second = attach.rcv_settle_mode == SECOND
        self.taken: dict[bytes, Taken] = {}
        self._by_id: dict[int, Taken] = {}

    @property
    def remembers(self) -> bool:
        """Whether each delivery is known until it is settled."""
        return self._settles_second or self.expiry.outlives_link

    def message(self, data: bytes, delivery_id: int, state: Any) -> None:
        """A whole message has come.  delivery_id: -1 if it came settled.  state: what the transfer said of it."""
        raise NotImplementedError

    @property
    def has_begun(self) -> bool:
        """Whether a message has come in part."""
        return self._delivery_id >= 0

    def came(self, count: int) -> None:
        """So many whole messages have come, and were handled."""
        self.credit -= count
        self.unconfirmed += count
        self.delivery_count = (self.delivery_count + count) & _IDS

    @property
    def waits(self) -> bool:
        """True while no new credit is given, as publishing is blocked."""
        return self.session.connection.broker.alarms.blocked is not None

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """A frame of a message."""
        connection = self.session.connection
        try:
            whole = self._take(transfer, payload)
        except PeerMistake as mistake:
            connection.fail(mistake, self.session, self)
            return
        if whole is not None:
            delivery_id = -1 if self._settled else self._delivery_id
            state = self._state
            tag, is_resumed = self._tag, self._is_resumed
            new_id = self._delivery_id
            self._reset()
            if is_resumed:
                self._resume(tag, new_id, settled=delivery_id < 0)
                return
            if delivery_id >= 0 and self.remembers and not isinstance(state, TransactionalState):
                self.taken[tag] = self._by_id[delivery_id] = Taken(tag, self, delivery_id)
            self.message(whole, delivery_id, state)

    def _take(self, transfer: Transfer, payload: bytes) -> bytes | None:
        if self._delivery_id < 0:
            self._first(transfer)
        else:
            self._later(transfer)
        if transfer.rcv_settle_mode and not self._settles_second:
            raise PeerMistake(
                INVALID_FIELD,
                f"a transfer with the rcv-settle-mode {transfer.rcv_settle_mode} on a link that has first",
                Level.LINK,
                clause="2.7.5",
            )
        if transfer.settled:
            self._settled = True
        if transfer.state is not None:
            self._state = transfer.state
        if transfer.aborted:
            self._reset()
            return None
        self._bytes += len(payload)
        if self._bytes > self.session.connection.settings.message_bytes_max:
            self._parts.clear()
            raise limited(
                PeerMistake(
                    MESSAGE_SIZE_EXCEEDED,
                    f"a message of more than {self.session.connection.settings.message_bytes_max} bytes",
                    Level.LINK,
                    clause="2.7.3",
                ),
                "max_message_bytes",
            )
        if transfer.more:
            self._keep(payload)
            return None
        if self._joined is not None:
            self._joined += payload
            return bytes(self._joined)
        if not self._parts:
            return payload
        self._parts.append(payload)
        return b"".join(self._parts)

    def _keep(self, part: bytes) -> None:
        if self._joined is not None:
            self._joined += part
        elif len(self._parts) < PARTS_MAX:
            self._parts.append(part)
        else:
            self._joined = bytearray(b"".join(self._parts))
            self._joined += part
            self._parts.clear()

    def _first(self, transfer: Transfer) -> None:
        if transfer.delivery_id is None:
            raise PeerMistake(
                INVALID_FIELD, "the first transfer of a delivery without a delivery-id", Level.LINK, clause="2.7.5"
            )
        if transfer.delivery_tag is None:
            raise PeerMistake(
                INVALID_FIELD, "the first transfer of a delivery without a delivery-tag", Level.LINK, clause="2.7.5"
            )
        if len(transfer.delivery_tag) > TAG_BYTES_MAX:
            raise PeerMistake(
                INVALID_FIELD,
                f"a delivery-tag of {len(transfer.delivery_tag)} bytes; there are at most {TAG_BYTES_MAX}",
                Level.LINK,
                clause="2.8.7",
            )
        self._is_resumed = transfer.resume
        self._tag = transfer.delivery_tag
        if self.credit <= 0 and not transfer.resume:
            raise limited(
                PeerMistake(TRANSFER_LIMIT_EXCEEDED, "a transfer without credit", Level.LINK, clause="2.6.7"),
                "amqp10_link_credit",
            )
        if transfer.message_format:
            raise PeerMistake(
                NOT_IMPLEMENTED, f"the message format {transfer.message_format}; there is 0", Level.LINK, clause="2.7.5"
            )
        self.credit = max(self.credit - 1, 0)
        self.delivery_count = (self.delivery_count + 1) & _IDS
        self._delivery_id = transfer.delivery_id
        self._settled = self.presettled

    def _later(self, transfer: Transfer) -> None:
        """What stands in a delivery's first transfer may be repeated, but not changed (2.7.5)."""
        if transfer.delivery_id not in (None, self._delivery_id):
            raise PeerMistake(
                INVALID_FIELD,
                f"the delivery {transfer.delivery_id} begins before {self._delivery_id} has ended",
                Level.LINK,
                clause="2.6.14",
            )
        if transfer.delivery_tag not in (None, self._tag):
            raise PeerMistake(
                INVALID_FIELD, "another delivery-tag than the delivery began with", Level.LINK, clause="2.7.5"
            )
        if transfer.message_format:
            raise PeerMistake(
                INVALID_FIELD, "another message-format than the delivery began with", Level.LINK, clause="2.7.5"
            )

    def _reset(self) -> None:
        self._parts = []
        self._joined = None
        self._bytes = 0
        self._delivery_id = -1
        self._settled = False
        self._state = None
        self._tag = b""
        self._is_resumed = False

    # What isn't settled

    def decided(self, delivery_id: int, state: bytes) -> bool:
        """What became of a delivery is known; False for one that isn't remembered.  state: encoded."""
        taken = self._by_id.get(delivery_id)
        if taken is None:
            return False
        taken.state = state
        if taken.link is not None:
            taken.link.tell_state(taken)
        else:
            del self._by_id[delivery_id]
        return True

    def tell_state(self, taken: Taken) -> None:
        """Tell the sender what became of a delivery, and settle that unless it does so first."""
        session = self.session
        settled = not self._settles_second
        if settled:
            self._forget(taken)
        session.counts.confirmed(1)
        session.connection.outbox.write(
            quick.disposition(
                session.channel,
                receiver=True,
                first=taken.delivery_id,
                last=taken.delivery_id,
                state=taken.state,
                settled=settled,
            )
        )
        session.touch()

    def sender_settles(self, first: int, count: int) -> None:
        """The sender has settled so many deliveries from this one on."""
        by_id = self._by_id
        if count <= len(by_id):
            ids = [number for number in ((first + offset) & _IDS for offset in range(count)) if number in by_id]
        else:
            ids = [number for number in by_id if (number - first) & _IDS < count]
        self.session.connection.ration.left -= min(count, len(by_id)) // LOOKED_AT_PER_COMMAND
        for number in ids:
            self._forget(by_id[number])
            self.session.touch_link(self)

    def _forget(self, taken: Taken) -> None:
        self.taken.pop(taken.tag, None)
        if self._by_id.pop(taken.delivery_id, None) is not None:
            self.unconfirmed -= 1

    def let_go(self) -> dict[bytes, Taken]:
        """The link is suspended: what isn't settled is kept elsewhere, and what becomes of it is noted there."""
        for taken in self.taken.values():
            taken.link = None
        kept, self.taken = self.taken, {}
        return kept

    def take_up(self, kept: dict[bytes, Taken], theirs: Container[bytes], complete: bool) -> dict[bytes, Taken]:
        """The link is resumed: what the sender doesn't know any more is forgotten; gives the rest."""
        self.taken = {tag: taken for tag, taken in kept.items() if tag in theirs or not complete}
        return self.taken

    def _resume(self, tag: bytes, delivery_id: int, *, settled: bool) -> None:
        """The sender has resumed a delivery; one that isn't known here is ignored (2.7.5)."""
        taken = self.taken.get(tag)
        if taken is None:
            return
        if settled:
            self._forget(taken)
            return
        taken.link = self
        taken.delivery_id = delivery_id
        self._by_id[delivery_id] = taken
        self.unconfirmed += 1
        if taken.state:
            self.tell_state(taken)

    def flow(self, flow: Flow) -> None:
        """The sender's state; one who asks is told ours."""
        if flow.delivery_count is not None and self._delivery_id < 0:
            # A sender that gives up credit counts it as used (2.6.7).
            skipped = (flow.delivery_count - self.delivery_count) & _IDS
            if 0 < skipped <= self.credit:
                self.delivery_count = flow.delivery_count
                self.credit -= skipped
        if flow.echo:
            self._tell()
        self.session.touch_link(self)

    def flush_batch(self) -> None:
        """Give new credit when half of it is used."""
        if self.credit + self.unconfirmed <= self._credit_max // 2 and not self.waits:
            self.credit = self._credit_max - self.unconfirmed
            self._tell()

    def alarms_changed(self) -> None:
        self.session.touch_link(self)

    def _tell(self) -> None:
        made = Flow()
        made.handle = self.handle
        made.delivery_count = self.delivery_count
        made.link_credit = self.credit
        self.session.send_flow(made)

    def end(self) -> None:
        self._reset()
