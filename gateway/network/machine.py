"""What this machine has: its addresses, who listens on a port, and which ports are free.

Asked when an address can't be had, to say what would do; nothing here is needed otherwise.  What a system doesn't tell
is left out, never guessed.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

PORT_MAX: Final = 65535

PORTS_TRIED: Final = 200
"""How many ports in a row are looked at for a free one: somebody who uses all of these has a reason."""

LISTENS: Final = "0A"
"""TCP_LISTEN in /proc/net/tcp (proc_net_tcp of Linux's documentation)."""

HOLDERS_MAX: Final = 3
"""Processes that are named: one listens, and its children may have inherited the socket."""


class Holder(NamedTuple):
    """A process that listens.  name: of its program.  is_warren: it is another Warren."""

    pid: int
    name: str
    is_warren: bool

    def __str__(self) -> str:
        return f"another Warren (process {self.pid})" if self.is_warren else f"{self.name} (process {self.pid})"


class _Ifaddrs(ctypes.Structure):
    """The beginning of getifaddrs(3)'s struct, which is the same on Linux and macOS."""


_Ifaddrs._fields_ = [
    ("next", ctypes.POINTER(_Ifaddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
]

_OFFSETS: Final = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}
"""Where in a sockaddr_in or sockaddr_in6 the address is, and how many bytes it has (RFC 3493, 3.3)."""

_SCOPED: Final = "fe80:"
"""Addresses of a link are of no use without the interface's name, so they aren't offered."""


def addresses() -> list[str]:
    """The addresses of this machine's interfaces, those of IPv4 first, loopback among them; none where nobody says."""
    found: list[tuple[int, str]] = []
    with suppress(OSError, AttributeError, ValueError):
        found += _interfaces()
    texts = [text for _, text in sorted(found, key=lambda each: each[0] != socket.AF_INET)]
    return [text for text in dict.fromkeys(texts) if not text.startswith(_SCOPED)]


def _interfaces() -> Iterator[tuple[int, str]]:
    library = ctypes.CDLL(None, use_errno=True)
    first = ctypes.POINTER(_Ifaddrs)()
    if library.getifaddrs(ctypes.byref(first)) != 0:
        return
    try:
        entry = first
        while entry:
            found = entry.contents
            if found.address:
                # BSD has a byte for the length in front of one for the family, Linux two bytes for the family.
                head = ctypes.string_at(found.address, 2)
                family = head[1] if sys.platform == "darwin" else int.from_bytes(head, sys.byteorder)
                if family in _OFFSETS:
                    at, size = _OFFSETS[socket.AddressFamily(family)]
                    yield family, socket.inet_ntop(family, ctypes.string_at(found.address + at, size))
            entry = found.next
    finally:
        library.freeifaddrs(first)


def holders_of(port: int) -> list[Holder]:
    """Who listens on this port, as far as this process may know: Linux tells it of one's own processes, and root."""
    inodes = {f"socket:[{inode}]" for name in ("tcp", "tcp6") for inode in _listening(Path("/proc/net", name), port)}
    found: list[Holder] = []
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda each: int(each.name)) if inodes else ():
        if len(found) < HOLDERS_MAX and _has_one_of(entry, inodes):
            found.append(_holder(entry))
    return found


def _listening(table: Path, port: int) -> Iterator[str]:
    """The inodes of sockets that listen on a port."""
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _has_one_of(process: Path, sockets: Collection[str]) -> bool:
    with suppress(OSError):
        for name in os.listdir(process / "fd"):
            with suppress(OSError):
                if os.readlink(process / "fd" / name) in sockets:
                    return True
    return False


def _holder(process: Path) -> Holder:
    name, words = "?", [""]
    with suppress(OSError):
        name = (process / "comm").read_text().strip()
        # Not shown: there may be a password in it.
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    is_warren = "serve" in words and any(Path(word).name == "warren" for word in words)
    return Holder(int(process.name), name, is_warren)


def free_port(hosts: Sequence[str], first: int, taken: Collection[int]) -> int:
    """The first port from this one on that can be had on all these hosts; 0, which is any, where none is found.

    taken: ports that are somebody's already.
    """
    for port in range(first, min(first + PORTS_TRIED, PORT_MAX + 1)):
        if port not in taken and all(_is_free(host, port) for host in hosts):
            return port
    return 0


def _is_free(host: str, port: int) -> bool:
    """Also of a host whose family isn't there, which nobody can have the port on."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return True
    with sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
        except OSError:
            return ":" in host and not any(":" in each for each in addresses())
    return True
