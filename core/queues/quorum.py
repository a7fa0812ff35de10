"""`x-queue-type: quorum` on one node: a durable queue with the limits and refusals of RabbitMQ's quorum queues.

Programs that declare quorum queues run unchanged; replication comes with the distributed engine.  What differs from a
classic queue: every message is kept on disk, whatever its delivery mode; deliveries are counted, and a message that
failed more often than the delivery limit (20 unless declared) is dead-lettered or dropped; what a quorum queue
can't be (exclusive, transient, auto-delete, server-named) is refused, and so are global prefetch, if-unused and
if-empty.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from core.errors import NotImplementedByBroker, PreconditionFailed
from core.queues.classic import ClassicQueue
from core.queues.rules import QueueRules

DELIVERY_LIMIT_DEFAULT: Final = 20

CLASSIC_ONLY: Final = ("x-max-priority", "x-queue-mode")
"""Known to classic queues; a program that sets them on a quorum queue expects something it wouldn't get."""


class QuorumQueue(ClassicQueue):
    """See the head of this file."""

    __slots__ = ()

    type_name = "quorum"
    stores_transient = True
    shares_prefetch = False

    equivalent_arguments = (
        *(name for name in ClassicQueue.equivalent_arguments if name not in CLASSIC_ONLY),
        "x-queue-type",
        "x-delivery-limit",
        "x-dead-letter-strategy",
        "x-quorum-initial-group-size",
    )

    def read_rules(self) -> QueueRules:
        for name in CLASSIC_ONLY:
            if name in self.arguments:
                raise PreconditionFailed(f"invalid arg '{name}' for {self.description} of queue type quorum")
        rules = super().read_rules()
        if rules.delivery_limit is None:
            rules = replace(rules, delivery_limit=DELIVERY_LIMIT_DEFAULT)
        return rules

    @classmethod
    def check_declaration(
        cls, description: str, *, durable: bool, exclusive: bool, auto_delete: bool, server_named: bool
    ) -> None:
        """Refuse what a quorum queue can't be (406)."""
        if server_named:
            raise PreconditionFailed(f"Cannot declare a server-named queue for type quorum; name {description}")
        for name, wrong in (
            ("exclusive-owner", exclusive),
            ("non-durable", not durable),
            ("auto-delete", auto_delete),
        ):
            if wrong:
                raise PreconditionFailed(f"invalid property '{name}' for {description}: a quorum queue can't have it")

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Conditional deletes are not for quorum queues (540)."""
        if if_unused or if_empty:
            raise NotImplementedByBroker(f"{self.description}: a quorum queue can't be deleted if-unused or if-empty")
