"""A proxy in front of a server of this machine whose answers come late, or not before somebody lets them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from tests.support.child import LOOPBACK

READ_BYTES: Final = 1 << 18
CONNECT_S: Final = 10.0


class SlowProxy:
    """Questions pass at once, answers as they are allowed to, in order.

    delay_s: how much later an answer arrives that the server gives from now on.
    """

    def __init__(self, target_port: int) -> None:
        self.delay_s = 0.0
        self._target_port = target_port
        self._passing = threading.Event()
        self._passing.set()
        self._over = threading.Event()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = self._started(self._accept)

    @property
    def address(self) -> str:
        """As a client of NATS is told."""
        return f"nats://{LOOPBACK}:{self.port}"

    def hold(self) -> None:
        """Let no answer through."""
        self._passing.clear()

    def release(self) -> None:
        """Let all of them through, those that were held first."""
        self._passing.set()

    def close(self) -> None:
        """End all connections, and listen no more."""
        self._over.set()
        self._passing.set()
        _end(self._listener)
        self._listener.close()
        self._accepting.join()
        for each in self._sockets:
            _end(each)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _started(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            try:
                far = socket.create_connection((LOOPBACK, self._target_port), CONNECT_S)
            except OSError:
                _end(near)
                continue
            far.settimeout(None)
            self._sockets.append(far)
            answers: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
            self._threads += [
                self._started(self._ask, near, far),
                self._started(self._collect, far, answers),
                self._started(self._answer, near, answers),
            ]

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        try:
            while data := near.recv(READ_BYTES):
                far.sendall(data)
        except OSError:
            pass
        _end(far)

    def _collect(self, far: socket.socket, answers: SimpleQueue[tuple[float, bytes]]) -> None:
        data = b"?"
        while data:
            try:
                data = far.recv(READ_BYTES)
            except OSError:
                data = b""
            answers.put((time.monotonic() + self.delay_s, data))

    def _answer(self, near: socket.socket, answers: SimpleQueue[tuple[float, bytes]]) -> None:
        while True:
            due_s, data = answers.get()
            self._over.wait(max(0.0, due_s - time.monotonic()))
            self._passing.wait()
            if not data or self._over.is_set():
                break
            try:
                near.sendall(data)
            except OSError:
                break
        _end(near)


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
