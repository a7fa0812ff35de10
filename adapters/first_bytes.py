"""What a connection's first bytes say about what is spoken on it.

    16 03            TLS: a handshake record with a ClientHello (RFC 8446, 5.1)
    anything else    the protocols are asked, each of which knows its own (adapters.interface.Beginning)

A protocol that isn't sure yet keeps those behind it waiting: AMQP's `AMQP` and STOMP's `ABORT`, HTTP's `HEAD` and the
`HELP` of people, and the CONNECT that STOMP and HTTP both have, need more than the first byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.interface import Beginning

if TYPE_CHECKING:
    from warren.adapters.interface import Adapter, Installed

CLIENT_HELLO: Final = b"\x16\x03"

TLS_REFUSED: Final = bytes.fromhex("15 0301 0002 02 28")
"""A fatal alert, handshake_failure, for who speaks TLS to somebody who can't, or the other way round (RFC 8446, 6)."""

TELNET: Final = 0xFF
"""What a telnet client may begin with to say something itself (RFC 854)."""

_typed: Final = re.compile(rb"[\t\r\n -~]{1,199}\n").fullmatch
"""Nothing that a program would send which speaks a protocol of bytes, and no more than somebody types in a line. The
line has ended: of `amqp` alone nobody knows what follows, and what is answered doesn't hang on how a network cuts it.
"""

_begins_a_frame: Final = re.compile(rb"(?!HELP|QUIT)[A-Z]+(?:\n|\Z)").match
"""STOMP as programs write it: capitals, and a line feed alone, where a terminal sends CR LF."""

MORE: Final = ""
"""Not decided yet."""

TLS: Final = "tls"


def recognise(data: bytes, adapters: Mapping[str, Adapter]) -> str | None:
    """The name of one of these protocols, TLS, MORE, or None for what is nothing of this.

    data: all that has come so far.
    """
    if not data:
        return MORE
    if data[0] == CLIENT_HELLO[0]:
        if len(data) < len(CLIENT_HELLO):
            return MORE
        return TLS if data.startswith(CLIENT_HELLO) else None
    likely = None
    for name, adapter in adapters.items():
        found = Beginning.OTHER if adapter.first_bytes is None else adapter.first_bytes(data)
        if found is Beginning.MINE:
            return name
        if found is Beginning.MORE:
            return MORE
        if found is Beginning.LIKELY and likely is None:
            likely = name
    return likely


def hint_for(expected: str, installed: Installed) -> Callable[[bytes], str]:
    """For the log of a listener for `expected`: what first bytes look like that aren't of it; nothing when that can't
    be said."""

    def hint(data: bytes) -> str:
        adapters = installed.own()
        spoken = recognise(data, adapters)
        if spoken == TLS:
            return " (this is TLS: connect to a listener with TLS, or without TLS to this one)"
        adapter = adapters.get(spoken or "")
        if spoken is None or adapter is None or adapter.first_bytes is None or spoken == expected:
            return ""
        if adapter.first_bytes(data) is not Beginning.MINE:
            return ""
        return f" (this is {adapter.elsewhere or f'{title_of(spoken, adapter)}, which has a listener of its own'})"

    return hint


def answer_to_typing(expected: str, installed: Installed) -> Callable[[bytes], bytes]:
    """For a listener for `expected`, which isn't typed: what somebody at a keyboard is told who types there all the
    same; nothing where the first bytes may be a program's."""

    def answer(data: bytes) -> bytes:
        adapters = installed.own()
        spoken = recognise(data, adapters)
        adapter = adapters.get(spoken or "")
        if adapter is None or adapter.first_bytes is None or adapter.first_bytes(data) is not Beginning.LIKELY:
            return b""
        if data[0] != TELNET and (not _typed(data) or _begins_a_frame(data)):
            return b""
        here, there = title_of(expected, adapters[expected]), title_of(spoken or "", adapter)
        return (
            f"\r\nThis port speaks {here}, which is for programs. What can be typed is {there}, which has a port of "
            "its own (61613, unless the broker is configured otherwise): connect there, and type HELP.\r\n"
        ).encode()

    return answer


def no_answer(data: bytes) -> bytes:
    """Where nothing else is known to be spoken."""
    return b""


def no_hint(data: bytes) -> str:
    """Where nothing else is known to be spoken."""
    return ""


def title_of(name: str, adapter: Adapter) -> str:
    """What the log calls a protocol."""
    return adapter.title or name.upper()
