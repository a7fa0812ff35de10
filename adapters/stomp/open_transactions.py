"""The transactions that a session has begun and neither committed nor aborted (spec B.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stomp.codec.errors import StompError, quoted
from warren.adapters.stomp.settings import ACTIONS_MAX, TRANSACTIONS_MAX
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from warren.adapters.stomp.sending import Publish
    from warren.adapters.stomp.settling import Settlement

    Transaction = list[Publish | Settlement]


class OpenTransactions:
    """Of one session, by name; each is what is to be done at COMMIT, in order."""

    __slots__ = ("_by_name", "_receipts")

    def __init__(self) -> None:
        self._by_name: dict[str, Transaction] = {}
        self._receipts: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_name)

    def __bool__(self) -> bool:
        return len(self) > 0

    @property
    def action_count(self) -> int:
        """What is to be done in all of them."""
        return sum(len(actions) for actions in self._by_name.values())

    def begin(self, name: str) -> None:
        """Begin one; one that is open already starts over.  StompError when it is one too many."""
        if name not in self._by_name and len(self._by_name) >= TRANSACTIONS_MAX:
            text = f"{TRANSACTIONS_MAX} transactions are open, the limit; COMMIT or ABORT one first"
            raise limited(StompError("Too many transactions", text), "transactions of a STOMP connection")
        self._by_name[name] = []
        self._receipts.pop(name, None)

    def check_room(self, name: str) -> None:
        """StompError when there is no such transaction, or it can't grow any more."""
        if len(self._open(name)) >= ACTIONS_MAX:
            text = f"a transaction holds {ACTIONS_MAX} frames at most; COMMIT it and begin another"
            raise limited(StompError("Transaction too large", text), "frames of a STOMP transaction")

    def add(self, name: str, action: Publish | Settlement) -> None:
        """One thing more to be done."""
        self._open(name).append(action)

    def add_receipt(self, name: str, receipt: str) -> None:
        """One of its frames wants to know when that has been done."""
        self._receipts.setdefault(name, []).append(receipt)

    def receipts(self, name: str) -> list[str]:
        """The receipts that its frames asked for, in order, as a list of the caller's own."""
        return list(self._receipts.get(name, ()))

    def take(self, name: str) -> Transaction:
        """What was to be done, which is no transaction any more; StompError when there is none of this name."""
        transaction = self._open(name)
        del self._by_name[name]
        self._receipts.pop(name, None)
        return transaction

    def clear(self) -> None:
        """The session ends: none of it happens."""
        self._by_name.clear()
        self._receipts.clear()

    def _open(self, name: str) -> Transaction:
        transaction = self._by_name.get(name)
        if transaction is None:
            raise StompError(
                "Bad transaction",
                f'Invalid transaction identifier: "{quoted(name)}"',
                "it isn't open in this session; BEGIN it first",
            )
        return transaction
