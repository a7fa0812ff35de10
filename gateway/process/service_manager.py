"""What systemd, or another service manager that speaks sd_notify(3), is told of the process.

    READY=1        connections are accepted: until then, units that come after this one wait
    RELOADING=1    files are read again after SIGHUP; READY=1 says that this is done (Type=notify-reload)
    STOPPING=1     connections are being closed, and what is pending is written
    WATCHDOG=1     the broker still takes turns; asked for by WatchdogSec in the unit, which has a hung process killed

Each is a datagram to the socket that $NOTIFY_SOCKET names; without one there is nobody to tell.  Who can't be reached
any more is no reason to stop serving.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

import trio

NOTIFY_SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG_US: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"


class ServiceManager:
    """address: of its socket, empty for none.  watchdog_s: how often it wants to hear that all is well; 0 for never."""

    __slots__ = ("_address", "watchdog_s")

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s

    @staticmethod
    def of_process(environment: Mapping[str, str] = os.environ) -> ServiceManager:
        """The one that has started this process, if it wants to hear of it."""
        address = environment.get(NOTIFY_SOCKET, "")
        if not address.startswith(("/", "@")):
            return ServiceManager()
        us = environment.get(WATCHDOG_US, "")
        is_meant = environment.get(WATCHDOG_PID, str(os.getpid())) == str(os.getpid())
        # Half of the time that it waits, as sd_watchdog_enabled(3) recommends.
        every_s = int(us) / 2_000_000 if us.isascii() and us.isdigit() and is_meant else 0.0
        return ServiceManager(address, every_s)

    def ready(self, status: str) -> None:
        """Connections are accepted, or everything has been read again.  status: for `systemctl status`."""
        self._tell(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """Files are being read again."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    async def watch(self) -> None:
        """Say that the process takes its turns, as often as is wanted, until cancelled; returns where it isn't."""
        while self._address and self.watchdog_s:
            self._tell("WATCHDOG=1")
            await trio.sleep(self.watchdog_s)

    def _tell(self, what: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(what.encode(), self._address)
        except OSError:
            pass
