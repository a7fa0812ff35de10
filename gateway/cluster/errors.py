"""Why a node isn't taken into its cluster."""

from __future__ import annotations

from warren.core.errors import StorageError


class ClusterRefusedError(StorageError):
    """It can't be a part of it as it is; the text says what is wrong, and what to change."""
