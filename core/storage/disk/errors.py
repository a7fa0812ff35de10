"""What can be wrong with bytes read back from the log."""

from __future__ import annotations


class DamagedRecordError(Exception):
    """Bytes that are no record, or not the one that should be there; the text says how it shows."""
