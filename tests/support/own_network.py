"""A network of a process's own, in which all ports are free: for what listens where strangers would expect it.

    subprocess.run([*IN_ITS_OWN, "warren", "serve", ...])

It is Linux's (network_namespaces(7), made by unshare(1) without any right), and has a loopback interface alone, with
IPv6 where the machine has it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from typing import Final

SIOCSIFFLAGS: Final = 0x8914
"""Sets the flags of an interface (netdevice(7))."""

IFF_UP: Final = 1

IN_ITS_OWN: Final = ("unshare", "--user", "--map-root-user", "--net", sys.executable, __file__)
"""In front of a command."""


def is_to_be_had() -> bool:
    """Whether this machine lets anybody have one."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*IN_ITS_OWN, "true"], capture_output=True, check=False).returncode == 0


def _main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    _main()
