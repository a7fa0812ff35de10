"""Numbers of the specification that settings need, light enough for every start."""

from __future__ import annotations

from typing import Final

FRAME_BYTES_LEAST: Final = 512
"""What everybody has to take (part 2, 2.8.19), and the largest frame until open, and of SASL (part 5, 5.3.1)."""

TAG_BYTES_MAX: Final = 32
"""Of a delivery's tag (part 2, 2.8.7)."""
