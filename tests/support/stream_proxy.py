"""A proxy between clients of the stream protocol and a broker, which notes the commands that go by."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.child import LOOPBACK

RESPONSE = 0x8000
READ_BYTES = 1 << 16
SIZE_BYTES = 4
KEY_BYTES = 2


class StreamProxy:
    """One that listens; `target` is the broker's port, which has to be set before somebody connects.

    from_clients, from_broker: the keys that went by, whether as a command or as the answer to one.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.target = 0
        self.from_clients: set[int] = set()
        self.from_broker: set[int] = set()
        self._noted = threading.Condition()
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def wait_for(self, keys: set[int], key: int, timeout_s: float) -> bool:
        """Whether a key has gone by within that time."""
        with self._noted:
            return self._noted.wait_for(lambda: key in keys, timeout_s)

    def close(self) -> None:
        """End all connections, and listen no more."""
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            broker = socket.create_connection((LOOPBACK, self.target))
            self._sockets += [client, broker]
            for source, sink, keys in ((client, broker, self.from_clients), (broker, client, self.from_broker)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, keys), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, keys: set[int]) -> None:
        kept = b""
        try:
            while data := source.recv(READ_BYTES):
                kept = self._note(kept + data, keys)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def _note(self, data: bytes, keys: set[int]) -> bytes:
        """Note the keys of the whole frames; what is left of the data."""
        at = 0
        while at + SIZE_BYTES + KEY_BYTES <= len(data):
            end = at + SIZE_BYTES + int.from_bytes(data[at : at + SIZE_BYTES], "big")
            if end > len(data):
                break
            key = int.from_bytes(data[at + SIZE_BYTES : at + SIZE_BYTES + KEY_BYTES], "big") & ~RESPONSE
            with self._noted:
                keys.add(key)
                self._noted.notify_all()
            at = end
        return data[at:]


@contextmanager
def stream_proxy() -> Iterator[StreamProxy]:
    """A proxy for the block."""
    proxy = StreamProxy()
    try:
        yield proxy
    finally:
        proxy.close()
