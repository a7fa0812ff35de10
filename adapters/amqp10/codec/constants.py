"""What settings and listings need of the specification, light enough for every start."""

from __future__ import annotations

from typing import Final

PROTOCOL: Final = "AMQP 1-0"
"""As listings show it."""

FRAME_BYTES_LEAST: Final = 512
"""What everybody has to take (part 2, 2.8.19), and the largest frame until open, and of SASL (part 5, 5.3.1)."""

TAG_BYTES_MAX: Final = 32
"""Of a delivery's tag (part 2, 2.8.7)."""
