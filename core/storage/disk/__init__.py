"""The storage engine on disk: one append-only log of checksummed records in segments."""
