"""A link to the broker that goes wrong when a test wants it to: a TCP proxy, in threads of the tests' process.

Connections through it are cut, or go silent, while the broker and all other connections go on.  It leads to wherever
the broker is, also when that has been killed and started again.
"""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES: Final = 65_536

RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time at all: closing sends RST."""


class Link:
    """See the head of this file; for a `with` block.

    host, port: where clients connect to.  url: the same for AMQP, with user, password and virtual host.
    """

    def __init__(self, target: tuple[str, int], url: Callable[[str, int], str]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()[:2]
        self.url = url(self.host, self.port)
        self._lock = threading.Lock()
        self._passages: set[_Passage] = set()
        self._accepts = True
        self._flows = threading.Event()
        self._flows.set()
        threading.Thread(target=self._accept, name="warren link", daemon=True).start()

    def cut(self, *, reset: bool = True) -> None:
        """Cut all connections through it: with RST, or with FIN as if both ends had gone; new ones are possible."""
        with self._lock:
            passages = list(self._passages)
        for each in passages:
            each.cut(reset=reset)

    def stall(self) -> None:
        """Let nothing through from now on, without telling anybody, until `heal`; new connections are accepted."""
        self._flows.clear()

    def refuse(self) -> None:
        """Cut every new connection at once, until `heal`; those that there are go on."""
        self._accepts = False

    def heal(self) -> None:
        """A good link again; what was held back goes on."""
        self._accepts = True
        self._flows.set()

    def close(self) -> None:
        """Cut everything, and accept no more."""
        self._accepts = False
        try:
            # Wakes the thread that accepts, which closing alone doesn't.
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.cut()
        self._flows.set()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target) if self._accepts else None
            except OSError:
                far = None
            if far is None:
                _close(near, reset=True)
                continue
            passage = _Passage(near, far, self._flows, self._gone)
            with self._lock:
                self._passages.add(passage)
            passage.begin()

    def _gone(self, passage: _Passage) -> None:
        with self._lock:
            self._passages.discard(passage)


class _Passage:
    """One connection through the link."""

    def __init__(
        self, near: socket.socket, far: socket.socket, flows: threading.Event, gone: Callable[[_Passage], None]
    ) -> None:
        self._ends = (near, far)
        self._flows = flows
        self._gone = gone

    def begin(self) -> None:
        near, far = self._ends
        for source, destination in ((near, far), (far, near)):
            threading.Thread(target=self._pass, args=(source, destination), name="warren link", daemon=True).start()

    def cut(self, *, reset: bool) -> None:
        self._gone(self)
        for end in self._ends:
            _close(end, reset=reset)

    def _pass(self, source: socket.socket, destination: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK_BYTES):
                self._flows.wait()
                destination.sendall(data)
        except OSError:
            # Cut, at either end.
            pass
        self.cut(reset=False)


def _close(end: socket.socket, *, reset: bool) -> None:
    try:
        if reset:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        # Either way this wakes the thread that reads from it; the one way without saying anything to the peer.
        end.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
    except OSError:
        # It is gone already.
        pass
    end.close()
