"""Sources, targets and what becomes of deliveries (part 3, 3.4 and 3.5), and transactions (part 4, 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warren.adapters.amqp10.codec.composites import SYMBOLS, Composite, Place, declare
from warren.adapters.amqp10.codec.performatives import Error

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.values import ValueMap


class Source:
    """3.5.3.  expiry_policy: None where it says nothing, which is the same as session-end."""

    def __init__(self) -> None:
        self.address: Any = None
        self.durable = 0
        self.expiry_policy: str | None = None
        self.timeout = 0
        self.dynamic = False
        self.dynamic_node_properties: ValueMap | None = None
        self.distribution_mode: str | None = None
        self.filter: ValueMap | None = None
        self.default_outcome: Any = None
        self.outcomes: list[str] = []
        self.capabilities: list[str] = []


class Target:
    """3.5.4.  expiry_policy: as in Source."""

    def __init__(self) -> None:
        self.address: Any = None
        self.durable = 0
        self.expiry_policy: str | None = None
        self.timeout = 0
        self.dynamic = False
        self.dynamic_node_properties: ValueMap | None = None
        self.capabilities: list[str] = []


class Received:
    """3.4.1: how much of a delivery has come."""

    def __init__(self) -> None:
        self.section_number = 0
        self.section_offset = 0


class Accepted:
    """3.4.2."""


class Rejected:
    """3.4.3."""

    def __init__(self, error: Error | None = None) -> None:
        self.error = error


class Released:
    """3.4.4."""


class Modified:
    """3.4.5."""

    def __init__(self) -> None:
        self.delivery_failed = False
        self.undeliverable_here = False
        self.message_annotations: ValueMap | None = None


class Coordinator:
    """4.5.1: the target of a link that controls transactions."""

    def __init__(self) -> None:
        self.capabilities: list[str] = []


class Declare:
    """4.5.2: begin a transaction."""

    def __init__(self) -> None:
        self.global_id: Any = None


class Discharge:
    """4.5.3: end a transaction; `fail`: without its work being done."""

    def __init__(self) -> None:
        self.txn_id = b""
        self.fail = False


class Declared:
    """4.5.5: a transaction has begun."""

    def __init__(self, txn_id: bytes = b"") -> None:
        self.txn_id = txn_id


class TransactionalState:
    """4.5.8: what is done belongs to a transaction."""

    def __init__(self, txn_id: bytes = b"", outcome: Any = None) -> None:
        self.txn_id = txn_id
        self.outcome = outcome


declare(
    Composite(
        "source",
        0x28,
        Source,
        (
            Place("address", "*"),
            Place("durable", "uint"),
            Place("expiry_policy", "symbol"),
            Place("timeout", "uint"),
            Place("dynamic", "boolean"),
            Place("dynamic_node_properties", "map"),
            Place("distribution_mode", "symbol"),
            Place("filter", "map"),
            Place("default_outcome", "*"),
            Place("outcomes", SYMBOLS),
            Place("capabilities", SYMBOLS),
        ),
    )
)
declare(
    Composite(
        "target",
        0x29,
        Target,
        (
            Place("address", "*"),
            Place("durable", "uint"),
            Place("expiry_policy", "symbol"),
            Place("timeout", "uint"),
            Place("dynamic", "boolean"),
            Place("dynamic_node_properties", "map"),
            Place("capabilities", SYMBOLS),
        ),
    )
)
declare(
    Composite(
        "received",
        0x23,
        Received,
        (Place("section_number", "uint", mandatory=True), Place("section_offset", "ulong", mandatory=True)),
    )
)
declare(Composite("accepted", 0x24, Accepted, ()))
declare(Composite("rejected", 0x25, Rejected, (Place("error", "error"),)))
declare(Composite("released", 0x26, Released, ()))
declare(
    Composite(
        "modified",
        0x27,
        Modified,
        (
            Place("delivery_failed", "boolean"),
            Place("undeliverable_here", "boolean"),
            Place("message_annotations", "map"),
        ),
    )
)
declare(Composite("coordinator", 0x30, Coordinator, (Place("capabilities", SYMBOLS),)))
declare(Composite("declare", 0x31, Declare, (Place("global_id", "*"),)))
declare(Composite("discharge", 0x32, Discharge, (Place("txn_id", "binary", mandatory=True), Place("fail", "boolean"))))
declare(Composite("declared", 0x33, Declared, (Place("txn_id", "binary", mandatory=True),)))
declare(
    Composite(
        "transactional-state",
        0x34,
        TransactionalState,
        (Place("txn_id", "binary", mandatory=True), Place("outcome", "*")),
    )
)
