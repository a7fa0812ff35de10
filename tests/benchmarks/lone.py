"""One message at a time: published, its confirm awaited, and the next one.  How long each takes."""

from __future__ import annotations

import socket
import time

from tests.benchmarks import wire
from tests.benchmarks.client import LoadError, describe_stream


def publish_one_by_one(connection: socket.socket, frames: wire.NumberedFrames, messages: int) -> list[float]:
    """The seconds of each message.  A LoadError for anything but a confirm of each."""
    data = bytearray(frames.data)
    seconds = []
    for number in range(messages):
        wire.NUMBER.pack_into(data, frames.number_at, number)
        began_at = time.perf_counter()
        connection.sendall(data)
        answer = connection.recv(wire.ACK_FRAME.size)
        while 0 < len(answer) < wire.ACK_FRAME.size:
            answer += connection.recv(wire.ACK_FRAME.size - len(answer))
        seconds.append(time.perf_counter() - began_at)
        if answer not in (wire.ack(number + 1, multiple=False), wire.ack(number + 1, multiple=True)):
            raise LoadError(f"after {number} confirms: {describe_stream(answer, wire.ACK)}")
    return seconds
