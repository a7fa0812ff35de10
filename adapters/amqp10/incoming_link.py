"""A link that we receive by: credit, and messages put together from their frames (part 2, 2.6.7 and 2.6.14).

Who sends is given credit for `amqp10_link_credit` messages that aren't safe yet, so what can be on its way is bounded,
also of messages that come settled.  New credit is given when half of it is used.  An alarm that blocks publishing is no
new credit until it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.codec.errors import (
    INVALID_FIELD,
    MESSAGE_SIZE_EXCEEDED,
    NOT_IMPLEMENTED,
    TRANSFER_LIMIT_EXCEEDED,
    Level,
    PeerMistake,
)
from warren.adapters.amqp10.codec.performatives import SETTLED, Flow
from warren.adapters.amqp10.link import Link
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach, Transfer

_IDS: Final = 0xFFFF_FFFF


class IncomingLink(Link):
    """See the head of this file; subclasses say what becomes of a message (`message`).

    credit: messages that the peer may still send.  unconfirmed: those that came and aren't safe.
    """

    def __init__(self, session: AmqpSession, attach: Attach, credit_max: int) -> None:
        super().__init__(session, attach)
        self.credit = 0
        self.unconfirmed = 0
        self._credit_max = credit_max
        self._delivery_count = attach.initial_delivery_count or 0
        self._presettled = attach.snd_settle_mode == SETTLED
        self._parts: list[bytes] = []
        self._bytes = 0
        self._delivery_id = -1
        self._settled = False
        self._state: Any = None

    def message(self, data: bytes, delivery_id: int, state: Any) -> None:
        """A whole message has come.  delivery_id: -1 if it came settled.  state: what the transfer said of it."""
        raise NotImplementedError

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
            self._reset()
            self.message(whole, delivery_id, state)

    def _take(self, transfer: Transfer, payload: bytes) -> bytes | None:
        if self._delivery_id < 0:
            self._first(transfer)
        elif transfer.delivery_id is not None and transfer.delivery_id != self._delivery_id:
            raise PeerMistake(
                INVALID_FIELD,
                f"the delivery {transfer.delivery_id} begins before {self._delivery_id} has ended",
                Level.LINK,
                clause="2.6.14",
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
            self._parts.append(payload)
            return None
        if not self._parts:
            return payload
        self._parts.append(payload)
        return b"".join(self._parts)

    def _first(self, transfer: Transfer) -> None:
        if transfer.delivery_id is None:
            raise PeerMistake(
                INVALID_FIELD, "the first transfer of a delivery without a delivery-id", Level.LINK, clause="2.7.5"
            )
        if self.credit <= 0:
            raise limited(
                PeerMistake(TRANSFER_LIMIT_EXCEEDED, "a transfer without credit", Level.LINK, clause="2.6.7"),
                "amqp10_link_credit",
            )
        if transfer.message_format:
            raise PeerMistake(
                NOT_IMPLEMENTED, f"the message format {transfer.message_format}; there is 0", Level.LINK, clause="2.7.5"
            )
        self.credit -= 1
        self._delivery_count = (self._delivery_count + 1) & _IDS
        self._delivery_id = transfer.delivery_id
        self._settled = self._presettled

    def _reset(self) -> None:
        self._parts = []
        self._bytes = 0
        self._delivery_id = -1
        self._settled = False
        self._state = None

    def flow(self, flow: Flow) -> None:
        """The sender's state; one who asks is told ours."""
        if flow.delivery_count is not None and self._delivery_id < 0:
            # A sender that gives up credit counts it as used (2.6.7).
            skipped = (flow.delivery_count - self._delivery_count) & _IDS
            if 0 < skipped <= self.credit:
                self._delivery_count = flow.delivery_count
                self.credit -= skipped
        if flow.echo:
            self._tell()
        self.session.touch()

    def flush_batch(self) -> None:
        """Give new credit when half of it is used."""
        if self.credit + self.unconfirmed <= self._credit_max // 2 and not self.waits:
            self.credit = self._credit_max - self.unconfirmed
            self._tell()

    def alarms_changed(self) -> None:
        self.session.touch()

    def _tell(self) -> None:
        made = Flow()
        made.handle = self.handle
        made.delivery_count = self._delivery_count
        made.link_credit = self.credit
        self.session.send_flow(made)

    def end(self) -> None:
        self._reset()
