"""How much memory and disk may be in use before publishers are blocked: as configured, until a word says otherwise.

What a word sets holds until the application ends, as in RabbitMQ; the configuration is what it starts with.  Whoever
sets something waits until it was looked at, so that the answer means that the alarm is what it has to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from warren.gateway.process.settings import ResourceSettings, total_memory_bytes

if TYPE_CHECKING:
    from warren.core.configuration.values import Watermark


ANSWER_MOST_S: Final = 5.0
"""Nobody checks any more where the application is stopped meanwhile."""


class ResourceLimits:
    """The limits in effect.

    memory_high_watermark: use of memory that blocks publishers.  disk_free_limit_bytes: free space below which they
    are blocked.
    """

    __slots__ = ("_changed", "_checked", "disk_free_limit_bytes", "memory_high_watermark")

    def __init__(self, settings: ResourceSettings) -> None:
        self.memory_high_watermark: Watermark = settings.memory_high_watermark
        self.disk_free_limit_bytes = settings.disk_free_limit_bytes
        self._changed = trio.Event()
        self._checked = trio.Event()

    @property
    def memory_limit_bytes(self) -> int:
        """The watermark on this machine."""
        return self.memory_high_watermark.bytes_of(total_memory_bytes())

    def change(self, memory: Watermark, disk_free_bytes: int) -> None:
        """Take what the configuration says now; it is in effect once whoever checks has looked."""
        self.memory_high_watermark = memory
        self.disk_free_limit_bytes = disk_free_bytes
        self._changed.set()

    async def set(self, *, memory: Watermark | None = None, disk_free_bytes: int | None = None) -> None:
        """Change what is given, and wait until it is in effect."""
        if memory is not None:
            self.memory_high_watermark = memory
        if disk_free_bytes is not None:
            self.disk_free_limit_bytes = disk_free_bytes
        self._changed.set()
        with trio.move_on_after(ANSWER_MOST_S):
            await self._checked.wait()

    async def wait(self, seconds: float) -> None:
        """For whoever checks: until something is changed, but no longer than this."""
        self._checked.set()
        self._checked = trio.Event()
        with trio.move_on_after(seconds):
            await self._changed.wait()
        if self._changed.is_set():
            self._changed = trio.Event()
