"""What the definition store keeps of queues, exchanges and bindings, but for what is this broker's own: numbers."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding
    from warren.core.storage.definitions.store import JSON


def queue_row(arguments_raw: bytes, user: User | None = None, *, auto_delete: bool = False) -> dict[str, JSON]:
    """What is kept of a queue, but for its number."""
    row: dict[str, JSON] = {"auto_delete": auto_delete, "arguments": base64.b64encode(arguments_raw).decode()}
    if user is not None:
        row["user"], row["user_id"] = user.name, user.id
    return row


def exchange_row(exchange: Exchange) -> dict[str, JSON]:
    """What is kept of it, but for its number."""
    return {
        "type": exchange.type_name,
        "auto_delete": exchange.auto_delete,
        "internal": exchange.internal,
        "arguments": base64.b64encode(exchange.arguments_raw).decode(),
    }


def binding_row(binding: Binding) -> dict[str, JSON]:
    """What is kept of it, but for its slots."""
    return {
        "source": binding.source,
        "kind": binding.target.kind,
        "destination": binding.target.name,
        "routing_key": binding.routing_key,
        "arguments": base64.b64encode(binding.arguments_raw).decode(),
    }


def binding_name(binding: Binding) -> str:
    """The name of the row of a binding."""
    kind, name, routing_key, _ = binding.key
    return json.dumps([binding.source, kind, name, routing_key, ascii(binding.key[3])])
