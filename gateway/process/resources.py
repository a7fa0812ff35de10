"""Watching what can run out: memory, disk, file descriptors (spec G, alarms)."""

from __future__ import annotations

import logging
import os
import resource
import shutil
from typing import TYPE_CHECKING, Final

import trio

from warren.core.alarms import DAMAGE
from warren.gateway.process.settings import ProcessSettings, ResourceSettings

if TYPE_CHECKING:
    from warren.core.alarms import Alarms
    from warren.gateway.configuration.config import Config
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.resources")

CHECK_INTERVAL_S: Final = 1.0
"""Fast enough to stop a publisher on a fast link before the last tenth of memory is gone."""


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


async def watch_resources(hub: Hub, config: Config) -> None:
    """Raise and clear the alarms, and report damage that the store has found, until cancelled."""
    settings, process = config.section(ResourceSettings), config.section(ProcessSettings)
    memory_limit = settings.memory_high_watermark.bytes_of(_total_memory_bytes())
    reported = len(hub.broker.damage())
    hub.broker.alarms.set(DAMAGE, bool(reported))
    while True:
        alarms = hub.broker.alarms
        changed = _alarm(alarms, "memory", resident_bytes() > memory_limit)
        if process.data_directory is not None and not process.in_memory:
            free = shutil.disk_usage(process.data_directory).free
            changed |= _alarm(alarms, "disk", free < settings.disk_free_limit_bytes)
        if changed:
            hub.settle()
        damage = hub.broker.damage()
        for description in damage[reported:]:
            _log.error("%s", description)
        reported = len(damage)
        alarms.set(DAMAGE, bool(damage))
        await trio.sleep(CHECK_INTERVAL_S)


def _alarm(alarms: Alarms, name: str, raised: bool) -> bool:
    changed = alarms.set(name, raised)
    if changed and raised:
        _log.warning("%s alarm: publishing is blocked until there is more", name)
    elif changed:
        _log.warning("%s alarm cleared: publishing goes on", name)
    return changed


def _total_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
