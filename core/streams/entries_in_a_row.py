"""Many entries of one publisher, at once: what they have in common goes in one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from warren.core.streams.chunk import records_of

if TYPE_CHECKING:
    from warren.core.streams.log import StreamLog


def append_entries(
    log: StreamLog,
    entries: Sequence[bytes],
    records: int,
    now_ms: int,
    values: Sequence[bytes | None] | None,
    publisher: bytes,
    publishing_ids: Sequence[int],
) -> None:
    """Take entries with so many records in all.

    values: for filters, one for each entry; None where none has one.  publisher, publishing_ids: see
    StreamLog.append_all.
    """
    if records == len(entries) and values is None:
        log.append_all(entries, now_ms, publisher, publishing_ids)
        return
    for number, entry in enumerate(entries):
        value = None if values is None else values[number]
        publishing_id = publishing_ids[number] if publisher else 0
        log.append(entry, records_of(entry), now_ms, value, publisher, publishing_id)
