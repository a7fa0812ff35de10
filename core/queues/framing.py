"""What goes around messages that differ in their bodies and in one number alone, as some protocol sends them.

Whoever reads many such messages asks their consumer for it once (`Consumer.framing`), and each message then comes with
its content ready to be sent (core.messages.message: `framed_for`).
"""

from __future__ import annotations


class Framing:
    """The bytes of a message are `before`, the number in eight bytes, `between`, the body, `after`."""

    __slots__ = ("after", "before", "between", "framed_for")

    def __init__(self, before: bytes, between: bytes, after: bytes, framed_for: int) -> None:
        self.before = before
        self.between = between
        self.after = after
        self.framed_for = framed_for
