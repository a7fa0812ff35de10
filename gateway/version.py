"""Warren's own version, for `warren version`, the start-up line and the server properties."""

from __future__ import annotations

WARREN_VERSION = "0.1.0"
"""The same as in pyproject.toml (a test compares them); a constant, as reading the metadata takes time."""
