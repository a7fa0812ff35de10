"""Watching what can run out: memory, disk, file descriptors (spec G, alarms)."""

from __future__ import annotations

import errno
import logging
import resource
import shutil
from typing import TYPE_CHECKING, Final

from warren.core.alarms import DAMAGE
from warren.core.errors import StorageError
from warren.gateway.process.settings import ProcessSettings

if TYPE_CHECKING:
    from pathlib import Path

    from warren.core.alarms import Alarms
    from warren.gateway.configuration.config import Config
    from warren.gateway.network.hub import Hub
    from warren.gateway.process.limits import ResourceLimits

_log = logging.getLogger("warren.resources")

CHECK_INTERVAL_S: Final = 1.0
"""Fast enough to stop a publisher on a fast link before the last tenth of memory is gone."""


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


def resident_bytes() -> int:
    """Memory of this process that is in RAM; its peak where the system tells no more."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def watch_resources(hub: Hub, config: Config, limits: ResourceLimits) -> None:
    """Raise and clear the alarms, and report damage that the store has found, until cancelled."""
    process = config.section(ProcessSettings)
    reported = len(hub.broker.damage())
    hub.broker.alarms.set(DAMAGE, bool(reported))
    while True:
        alarms = hub.broker.alarms
        changed = _alarm(alarms, "memory", resident_bytes() > limits.memory_limit_bytes)
        if process.data_directory is not None and not process.in_memory:
            free = _free_bytes(process.data_directory)
            changed |= _alarm(alarms, "disk", free is None or free < limits.disk_free_limit_bytes)
        if changed:
            hub.settle()
        damage = hub.broker.damage()
        for description in damage[reported:]:
            _log.error("%s", description)
        reported = len(damage)
        alarms.set(DAMAGE, bool(damage))
        await limits.wait(CHECK_INTERVAL_S)


def _free_bytes(directory: Path) -> int | None:
    """Space on the file system; None while the system can't say, and StorageError once the directory is lost."""
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
        return None


def _alarm(alarms: Alarms, name: str, raised: bool) -> bool:
    changed = alarms.set(name, raised)
    if changed and raised:
        _log.warning("%s alarm: publishing is blocked until there is more", name)
    elif changed:
        _log.warning("%s alarm cleared: publishing goes on", name)
    return changed
