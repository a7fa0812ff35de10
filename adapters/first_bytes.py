"""What a connection's first bytes say about what is spoken on it.

    16 03            TLS: a handshake record with a ClientHello (RFC 8446, 5.1)
    "AMQP"           AMQP, of any version (AMQP 0-9-1, 4.2.2)
    10               MQTT: CONNECT has no flags (MQTT 5, 3.1.1)
    "GET /...", ...  HTTP: a method, a space, and what it asks for (RFC 9110, 9); WebSocket begins so, too
    text             STOMP: commands are lines, and lines in lower case or with mistakes are for STOMP to explain

AMQP's `AMQP` and STOMP's `ABORT`, HTTP's `HEAD` and the `HELP` of people, and the CONNECT that STOMP and HTTP both
have, need more than the first byte: then the answer is `MORE`.
"""

from __future__ import annotations

from typing import Final

CLIENT_HELLO: Final = b"\x16\x03"

AMQP: Final = b"AMQP"

MQTT_CONNECT: Final = 0x10

HTTP_METHODS: Final = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI")
"""RFC 9110, 9.1, RFC 5789, and the preface of HTTP/2, which is refused in terms of HTTP."""

_WORD_BYTES_MAX: Final = max(map(len, HTTP_METHODS)) + 2
"""A method, a space and one byte of what follows decide."""

TLS_REFUSED: Final = bytes.fromhex("15 0301 0002 02 28")
"""A fatal alert, handshake_failure, for who speaks TLS to somebody who can't, or the other way round (RFC 8446, 6)."""

MORE: Final = ""
"""Not decided yet."""

TLS: Final = "tls"


def recognise(data: bytes) -> str | None:
    """The name of the protocol (adapters.registry), TLS, MORE, or None for what is nothing of this.

    data: all that has come so far.
    """
    if not data:
        return MORE
    first = data[0]
    if first == CLIENT_HELLO[0]:
        if len(data) < len(CLIENT_HELLO):
            return MORE
        return TLS if data.startswith(CLIENT_HELLO) else None
    if first == MQTT_CONNECT:
        return "mqtt"
    if not (0x20 <= first < 0x7F or first in b"\r\n\t"):
        return None
    if AMQP.startswith(data[: len(AMQP)]):
        return "amqp" if len(data) >= len(AMQP) else MORE
    return _line(data[:_WORD_BYTES_MAX])


def _line(start: bytes) -> str:
    """HTTP or STOMP, by the beginning of the first line."""
    for method in HTTP_METHODS:
        if start.startswith(method + b" "):
            after = start[len(method) + 1 : len(method) + 2]
            if not after:
                return MORE
            return "ws" if after not in b" \r\n" else "stomp"
        if method.startswith(start):
            return MORE
    return "stomp"


def hint(data: bytes, expected: str) -> str:
    """For the log of a listener for `expected` that got something else: what it looks like, or nothing."""
    spoken = recognise(data)
    if spoken == TLS:
        return " (this is TLS: connect to a listener with TLS, or without TLS to this one)"
    if spoken == "ws" and expected != "ws":
        return " (this is HTTP: WebSocket has a listener of its own)"
    if spoken in ("amqp", "mqtt") and spoken != expected:
        return f" (this is {spoken.upper()}, which has a listener of its own)"
    return ""


def refusal_in_plain_text() -> bytes:
    """What HTTP in plain gets on a port for TLS."""
    body = b"This port speaks TLS: use https:// or wss://\n"
    head = (
        "HTTP/1.1 400 Bad Request\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
