"""What one run of one scenario yields: named numbers, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping

Figures = Mapping[str, float]
"""Name, with its unit, to value."""

MEBIBYTE = 1 << 20
