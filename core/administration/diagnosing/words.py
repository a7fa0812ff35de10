"""Numbers and times as people read them, and settings of queues whatever they come from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.exchanges.base import Exchange
    from warren.core.queues.base import Queue


def counted(count: int, singular: str, plural: str = "") -> str:
    """`1 message`, `12,345 messages`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def span(milliseconds: int) -> str:
    """`3 d 4 h`, `12 min`, `40 s`: two units at most."""
    seconds = max(milliseconds, 0) // 1000
    parts = ((seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    first = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number or unit == "s")


def moment(at_ms: int) -> str:
    """`2026-03-01 12:00 UTC`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def mebibytes(size_bytes: int) -> str:
    """`512 MiB`."""
    return f"{size_bytes / 2**20:,.0f} MiB"


def setting(target: Queue | Exchange, name: str) -> object:
    """What an x-argument of this name says, or else the policies; None where nobody says anything."""
    found = target.arguments.get(f"x-{name}")
    return target.effective_policy.get(name) if found is None else found
