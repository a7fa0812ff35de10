"""What a library must leave alone, or give back, in the process that uses it."""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
import threading
from dataclasses import dataclass

import trio


@dataclass(frozen=True)
class Held:
    """Things that are held for a while: open files and sockets, threads, and tasks."""

    descriptors: frozenset[tuple[int, str]]
    threads: frozenset[str]
    tasks: int


@dataclass(frozen=True)
class Settings:
    """Settings of the whole process."""

    signals: dict[int, object]
    garbage_collector: tuple[bool, tuple[int, int, int], int]
    handlers: list[logging.Handler]
    log_levels: dict[str, int]
    hooks: tuple[object, ...]
    descriptor_limit: tuple[int, int]
    directory: str


def held() -> Held:
    """What is held now. Trio's idle worker threads don't count, as Trio keeps them for a while on purpose."""
    return Held(
        descriptors=frozenset(_descriptors()),
        threads=frozenset(each.name for each in threading.enumerate() if not each.name.startswith("Trio thread")),
        tasks=trio.lowlevel.current_statistics().tasks_living,
    )


def settings() -> Settings:
    """How the process is set up now."""
    root = logging.getLogger()
    names = ["", *(name for name in logging.root.manager.loggerDict if name.startswith("warren"))]
    return Settings(
        signals={number: signal.getsignal(number) for number in signal.valid_signals()},
        garbage_collector=(gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()),
        handlers=[*root.handlers, *logging.getLogger("warren").handlers],
        log_levels={name: level for name in names if (level := logging.getLogger(name).level) != logging.NOTSET},
        hooks=(sys.excepthook, sys.unraisablehook, threading.excepthook),
        descriptor_limit=resource.getrlimit(resource.RLIMIT_NOFILE),
        directory=os.getcwd(),
    )


def _descriptors() -> list[tuple[int, str]]:
    """(number, what it is) of each; a socket's contains its inode, so a new one is never taken for an old."""
    found = []
    for name in os.listdir("/dev/fd"):
        try:
            found.append((int(name), os.readlink(f"/dev/fd/{name}")))
        except OSError:  # the one that listed the directory
            continue
    return found
