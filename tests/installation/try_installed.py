"""Tries the Warren that is installed: starts it, and sends a message through it.

    python try_installed.py [--form compiled|interpreted]

Needs nothing but the installation itself, so that a fresh environment can run it; the client is spoken by hand.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READY_TIMEOUT_S = 60.0

LOOK_S = 0.05
"""Between two looks for the ready file."""

BODY = b"hello"

# AMQP 0-9-1: what a client says from the connection's beginning to a message's acknowledgement.
HEADER = b"AMQP\0\0\x09\x01"
START_OK = b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US"
TUNE_OK = b"\0\x0a\0\x1f\x07\xff\0\2\0\0\0\0"
OPEN = b"\0\x0a\0\x28\x01/\0\0"
CHANNEL_OPEN = b"\0\x14\0\x0a\0"
QUEUE_DECLARE = b"\0\x32\0\x0a\0\0\x05tried\0\0\0\0\0"
PUBLISH = b"\0\x3c\0\x28\0\0\0\x05tried\0"
CONTENT_HEADER = b"\0\x3c\0\0" + len(BODY).to_bytes(8, "big") + b"\0\0"
CONSUME = b"\0\x3c\0\x14\0\0\x05tried\0\2\0\0\0\0"
CLOSE = b"\0\x0a\0\x32\0\xc8\0\0\0\0\0"

METHOD, CONTENT, BODY_FRAME = 1, 2, 3


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return bytes((kind,)) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + b"\xce"


def received(stream: socket.SocketIO) -> tuple[int, bytes]:
    """The next frame's kind and payload."""
    head = stream_exactly(stream, 7)
    payload = stream_exactly(stream, int.from_bytes(head[3:7], "big") + 1)
    return head[0], payload[:-1]


def stream_exactly(stream: socket.SocketIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise SystemExit("the broker closed the connection")
        data += more
    return data


def round_trip(address: tuple[str, int]) -> bytes:
    """Publishes a message and consumes it.  Returns the body as it came."""
    with socket.create_connection(address, READY_TIMEOUT_S) as connection:
        stream = socket.SocketIO(connection, "rwb")
        connection.sendall(HEADER)
        received(stream)
        connection.sendall(frame(METHOD, 0, START_OK))
        received(stream)
        connection.sendall(frame(METHOD, 0, TUNE_OK) + frame(METHOD, 0, OPEN) + frame(METHOD, 1, CHANNEL_OPEN))
        connection.sendall(frame(METHOD, 1, QUEUE_DECLARE) + frame(METHOD, 1, PUBLISH))
        connection.sendall(frame(CONTENT, 1, CONTENT_HEADER) + frame(BODY_FRAME, 1, BODY) + frame(METHOD, 1, CONSUME))
        kind = 0
        while kind != BODY_FRAME:
            kind, payload = received(stream)
        connection.sendall(frame(METHOD, 0, CLOSE))
        return payload


def await_ready(broker: subprocess.Popen[bytes], ready: Path) -> None:
    end = time.monotonic() + READY_TIMEOUT_S
    while not ready.exists() and time.monotonic() < end:
        try:
            broker.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        break
    if not ready.exists():
        raise SystemExit("the broker didn't start")


def warren(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "warren", *arguments]


def main() -> None:
    parser = argparse.ArgumentParser(description="Tries the Warren that is installed.")
    parser.add_argument("--form", choices=["compiled", "interpreted"], help="fail unless it is in this form")
    form = parser.parse_args().form
    version = subprocess.run(warren("version"), capture_output=True, text=True, check=True).stdout.strip()
    print(version)
    if form and form not in version:
        raise SystemExit(f"not {form}")
    with tempfile.TemporaryDirectory() as directory:
        ready = Path(directory, "ready.json")
        options = ["--in-memory", "--listen-only", "amqp=127.0.0.1:0", "--ready-file", str(ready)]
        broker = subprocess.Popen(warren("serve", *options), cwd=directory)
        try:
            await_ready(broker, ready)
            host, port = json.loads(ready.read_text())["amqp"]
            body = round_trip((host, port))
        finally:
            broker.send_signal(signal.SIGTERM)
            code = broker.wait(READY_TIMEOUT_S)
    if (body, code) != (BODY, 0):
        raise SystemExit(f"published {BODY!r}, consumed {body!r}; the broker ended with {code}")
    print("a message went through it")


if __name__ == "__main__":
    main()
