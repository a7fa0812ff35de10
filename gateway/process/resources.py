"""Watching what can run out: memory, disk, file descriptors (spec G, alarms)."""

from __future__ import annotations

import errno
import logging
import os
import resource
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from warren.core.alarms import DAMAGE
from warren.core.errors import StorageError
from warren.gateway import memory
from warren.gateway.process.settings import ProcessSettings

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.configuration.config import Config
    from warren.gateway.network.hub import Hub
    from warren.gateway.process.limits import ResourceLimits
    from warren.gateway.process.slow_disk import SlowDisk

_log = logging.getLogger("warren.resources")

CHECK_INTERVAL_S: Final = 1.0
"""How soon an alarm is cleared; raised it is within the turn."""

MEMORY_PER_READ_BYTE: Final = 32
"""What a byte that is read may take in memory at most: a message of MQTT may have 16 bytes, and takes 500."""

WRITTEN_PER_READ_BYTE: Final = 4
"""What a byte that is read may take on disk at most: the same message takes 60 there."""

NO_DISK_BYTES: Final = 1 << 62
"""Room on a disk that nothing is written to."""

STEP_BYTES_MIN: Final = 256 * 1024
"""What one socket may bring into one turn; looking more often would bring nothing."""

STEP_BYTES_MAX: Final = 16 * 1024 * 1024
"""Read between two looks at most: less than a hundredth of a second on a fast link."""


DIRECTORY_LOST: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE})
"""What the system says of a directory that is gone, or whose disk is.  Anything else may pass; until then publishers
are blocked, as on a full disk."""


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard one; for a process that is a broker and nothing else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError) as error:
            _log.warning("the limit of open files stays at %d: %s", soft, error)


def descriptor_limit() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 30


def open_descriptors() -> int:
    """How many files this process has open; 0 where the system doesn't tell."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


class ResourceWatch:
    """Raises and clears the alarms of memory and disk.

    Once a second everything is looked at (`poll`).  In between, the hub counts what it reads, and asks again after so
    many bytes as could bring a limit near (`input_read`), before they are worked on; so does a commit before it writes
    (`before_write`).  Both only raise alarms: an alarm that went on and off with every commit would help nobody.

    Memory counts as used that is in RAM.  Where that is above the limit, it may be memory which the broker has freed
    and the allocator keeps: it is given back, and what is in use counts where the allocator tells.  On disk, what was
    read and not written yet counts as written, several times over, since small messages take more room there.

    free_disk_bytes: asks for the free space of the data directory's file system; None when nothing is kept.
    """

    def __init__(
        self,
        hub: Hub,
        limits: ResourceLimits,
        free_disk_bytes: Callable[[], int] | None,
        *,
        resident_bytes: Callable[[], int] = memory.resident_bytes,
        in_use_bytes: Callable[[], int | None] = memory.in_use_bytes,
    ) -> None:
        self._hub = hub
        self._limits = limits
        self._free_disk_bytes = free_disk_bytes
        self._resident_bytes = resident_bytes
        self._in_use_bytes = in_use_bytes
        self._unwritten_bytes = 0
        self._writing_bytes = 0
        self._looked_room_bytes = 0 if free_disk_bytes is not None else NO_DISK_BYTES
        self._allowed_bytes = self._hub.input_left_bytes = 0
        self._last_used_bytes = 0

    @property
    def is_over_memory(self) -> bool:
        """True when more is in RAM than may be, whether in use or not: it is worth giving some back."""
        return self._resident_bytes() > self._limits.memory_limit_bytes

    def poll(self) -> None:
        """Raise and clear."""
        self._note_input()
        if not self._hub.broker.commit_wanted:
            self._unwritten_bytes = 0
        changed = self._set("memory", self._used_bytes() > self._limits.memory_limit_bytes)
        if self._free_disk_bytes is not None:
            changed |= self._set("disk", self._disk_room_bytes() < 0)
            changed |= self._set("disk", not self._hub.broker.definitions.has_room(), source="definitions")
        if changed:
            self._hub.settle()
        self._allow_input()

    def input_read(self) -> None:
        """The hub has read what it might without asking."""
        self._note_input()
        self._raise()
        self._allow_input()

    def before_write(self) -> None:
        """A commit is about to be written; what is read from now on is the next one's."""
        self._note_input()
        if self._looked_room_bytes < WRITTEN_PER_READ_BYTE * self._unwritten_bytes:
            # It could be near: else a look at the system per commit would cost more than it brings.
            self._raise()
            self._allow_input()
        else:
            self._looked_room_bytes -= WRITTEN_PER_READ_BYTE * self._unwritten_bytes
        self._writing_bytes, self._unwritten_bytes = self._unwritten_bytes, 0

    def after_write(self) -> None:
        """It is written, so that the free space says it all."""
        self._writing_bytes = 0

    def _note_input(self) -> None:
        self._unwritten_bytes += self._allowed_bytes - self._hub.input_left_bytes
        self._allowed_bytes = self._hub.input_left_bytes

    def _allow_input(self) -> None:
        self._allowed_bytes = self._hub.input_left_bytes = self._step_bytes()

    def _raise(self) -> None:
        raised = self._hub.broker.alarms.raised()
        if "memory" not in raised and self._used_bytes() > self._limits.memory_limit_bytes:
            self._set("memory", raised=True)
        if self._free_disk_bytes is not None and "disk" not in raised and self._disk_room_bytes() < 0:
            self._set("disk", raised=True)

    def _used_bytes(self) -> int:
        """Memory in use; no more exactly than it takes to compare it with the limit.

        To ask the allocator takes milliseconds where much is in use, so the answer is kept for the next step.
        """
        used = self._resident_bytes()
        if used > self._limits.memory_limit_bytes:
            in_use = self._in_use_bytes()
            if in_use is not None:
                used = min(used, in_use)
        self._last_used_bytes = used
        return used

    def _disk_room_bytes(self) -> int:
        """Free space above the limit, once everything that was read is written."""
        assert self._free_disk_bytes is not None
        free = self._free_disk_bytes() - self._limits.disk_free_limit_bytes
        self._looked_room_bytes = free - WRITTEN_PER_READ_BYTE * self._writing_bytes
        return free - WRITTEN_PER_READ_BYTE * (self._writing_bytes + self._unwritten_bytes)

    def _step_bytes(self) -> int:
        """How much may be read until it is time to look again."""
        room = self._limits.memory_limit_bytes - self._last_used_bytes
        step = room // MEMORY_PER_READ_BYTE
        if self._free_disk_bytes is not None:
            step = min(step, self._disk_room_bytes() // (2 * WRITTEN_PER_READ_BYTE))
        return max(STEP_BYTES_MIN, min(step, STEP_BYTES_MAX))

    def _set(self, name: str, raised: bool, source: str = "measured") -> bool:
        alarms = self._hub.broker.alarms
        before = name in alarms.raised()
        alarms.set(name, raised, source=source)
        after = name in alarms.raised()
        if after and not before:
            _log.warning("%s alarm: publishing is blocked until there is more", name)
        elif before and not after:
            _log.warning("%s alarm cleared: publishing goes on", name)
        return before != after


class DamageWatch:
    """Logs damage that is found while the broker runs, and keeps its alarm.  What the start found is logged by it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._reported = len(broker.found_damage())

    def look(self) -> None:
        """Once a second."""
        broker = self._broker
        found = broker.found_damage()
        for description in found[self._reported :]:
            _log.error("%s", description)
        self._reported = len(found)
        broker.alarms.set(DAMAGE, bool(found or broker.quarantine.entries))


async def watch_resources(hub: Hub, config: Config, limits: ResourceLimits, disk: SlowDisk) -> None:
    """Keep the alarms as they have to be, and report what the store has found damaged and a disk that takes long, until
    cancelled."""
    process = config.section(ProcessSettings)
    directory = None if process.in_memory else process.data_directory
    watch = ResourceWatch(hub, limits, None if directory is None else partial(free_bytes, directory))
    hub.input_watch = watch
    damage = DamageWatch(hub.broker)
    while True:
        if watch.is_over_memory:
            await trio.to_thread.run_sync(memory.give_back)
        watch.poll()
        damage.look()
        disk.look()
        if hub.stall_watch is not None:
            hub.stall_watch.look()
        await limits.wait(CHECK_INTERVAL_S)


def free_bytes(directory: Path) -> int:
    """Space on the file system; 0 while the system can't say, and StorageError once the directory is lost."""
    try:
        return shutil.disk_usage(directory).free
    except OSError as error:
        text = f"the data directory {directory} can't be looked at: {error.strerror or error}"
        if error.errno in DIRECTORY_LOST:
            raise StorageError(
                f"{text}. What is written from now on would be lost, so nothing is confirmed any more; "
                f"replace the disk, or put the directory back, then start again"
            ) from error
        _log.error("%s", text)
        return 0
