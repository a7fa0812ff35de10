"""Proxies between processes of a cluster, each of which can be cut and mended: bytes don't pass while it is cut.

What was under way is closed by a cut, or (`hangs`) stays open and silent, as with a network that drops everything.  A
connection that something was dropped from carries nothing any more: no network loses bytes from the middle of one.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from typing import Final

LOOPBACK: Final = "127.0.0.1"
READ_BYTES: Final = 1 << 18


class Proxy:
    """To one address.  pair_of: the pair that a connection is of, by its first bytes; None while they don't say.
    target_port: where new connections lead.

    cut: the pairs that nothing passes between; the empty one stands for all connections whose pair isn't known.
    """

    def __init__(self, target_port: int, pair_of: Callable[[bytes], str | None] | None = None) -> None:
        self.target_port = target_port
        self._pair_of = pair_of
        self._cut: set[str] = set()
        self._hangs = False
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: dict[int, tuple[socket.socket, socket.socket, list[str]]] = {}
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, pair: str = "", *, hangs: bool = False) -> None:
        """Let nothing pass."""
        with self._lock:
            self._cut.add(pair)
            self._hangs = hangs
        if not hangs:
            self._close(pair)

    def mend(self, pair: str = "") -> None:
        """Let all pass again; what hung in between is lost."""
        with self._lock:
            hung = self._hangs and pair in self._cut
            self._cut.discard(pair)
        if hung:
            self._close(pair)

    def end(self) -> None:
        """Close everything."""
        self._ended = True
        self._listener.close()
        for pair in {each[2][0] for each in list(self._open.values())}:
            self._close(pair)

    def _close(self, pair: str) -> None:
        for near, far, known in list(self._open.values()):
            if known[0] == pair:
                for each in (near, far):
                    try:
                        each.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass

    def _is_cut(self, pair: str) -> bool:
        with self._lock:
            return pair in self._cut

    def _accept(self) -> None:
        while not self._ended:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near:
            if self._pair_of is None and self._is_cut("") and not self._hangs:
                return
            try:
                far = socket.create_connection((LOOPBACK, self.target_port), 5)
            except OSError:
                return
            with far:
                far.settimeout(None)
                known = [""]
                key = id(known)
                self._open[key] = near, far, known
                try:
                    self._pass_on(near, far, known)
                except OSError:
                    pass
                finally:
                    del self._open[key]

    def _pass_on(self, near: socket.socket, far: socket.socket, known: list[str]) -> None:
        begun = b""
        has_gap = False
        with selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for ready, _ in selector.select():
                    source, target = ready.fileobj, ready.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(READ_BYTES)
                    if not data:
                        return
                    if self._pair_of is not None and not known[0] and source is near:
                        begun = (begun + data)[:READ_BYTES]
                        known[0] = self._pair_of(begun) or ""
                    if self._is_cut(known[0]):
                        if not self._hangs:
                            return
                        has_gap = True
                        continue  # dropped, as by a network that is cut
                    if has_gap:
                        return
                    target.sendall(data)
