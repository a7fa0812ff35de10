"""Commands as frames, and the other way round.

A frame is its size in 32 bits, a key and a version of 16 bits each, and the command's values (commands.py).
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from warren.adapters.stream.codec.commands import BY_KEY, LAYOUTS, PLAIN_ANSWERS, Answer, Command, ConsumerUpdateAnswer
from warren.adapters.stream.codec.errors import FrameError
from warren.adapters.stream.codec.keys import RESPONSE, VERSION_1, Code, Key
from warren.adapters.stream.codec.kinds import malformed

HEAD: Final = Struct(">IHH")
"""Size, key, version."""

SIZE_BYTES: Final = 4
KEY_BYTES: Final = 4
"""Of key and version, the least that a frame has."""

OFFSET_BYTES: Final = 8
"""Of an offset.  rstream answers ConsumerUpdate with one whatever the type is; like RabbitMQ, nobody looks at it."""

_ANSWER: Final = Struct(">IHHIH")
_ANSWER_VALUES: Final = Struct(">IH")


def encode(command: Command) -> bytes:
    """The frame of a command, with its size in front."""
    if isinstance(command, Answer):
        return _ANSWER.pack(10, RESPONSE | command.key, VERSION_1, command.correlation_id, command.code)
    layout = LAYOUTS[type(command)]
    parts: list[bytes] = [b""]
    for number, (kind, value) in enumerate(zip(layout.kinds, command, strict=True)):
        if value is None and number >= layout.needed:
            break
        kind.write(parts, value)
    body = b"".join(parts)
    return HEAD.pack(KEY_BYTES + len(body), layout.key, layout.version) + body


def decode(frame: bytes) -> Command:
    """The command of a frame, without its size.  Raises FrameError for what is none."""
    if len(frame) < KEY_BYTES:
        raise malformed(f"a frame of {len(frame)} bytes has no command")
    key = int.from_bytes(frame[:2], "big")
    version = int.from_bytes(frame[2:4], "big")
    layout = BY_KEY.get((key, version))
    if layout is None:
        return _decode_plain(frame, key, version)
    at = KEY_BYTES
    values: list[Any] = []
    for kind in layout.kinds:
        if at == len(frame) and len(values) >= layout.needed:
            break
        value, at = kind.read(frame, at)
        values.append(value)
    behind = len(frame) - at
    if behind and not (layout.type is ConsumerUpdateAnswer and behind == OFFSET_BYTES):
        raise malformed(f"{behind} bytes behind the command {name_of(key)}")
    return layout.type(*values)


def name_of(key: int) -> str:
    """What a command is called, for the log."""
    try:
        name = Key(key & ~RESPONSE).name.title().replace("_", "")
    except ValueError:
        name = f"{key & ~RESPONSE}"
    return f"{name} answer" if key & RESPONSE else name


def _decode_plain(frame: bytes, key: int, version: int) -> Command:
    """An answer that is a code, or no command at all."""
    if version == VERSION_1 and key & RESPONSE and (key & ~RESPONSE) in PLAIN_ANSWERS:
        if len(frame) != KEY_BYTES + _ANSWER_VALUES.size:
            raise malformed(f"{name_of(key)} of {len(frame)} bytes")
        return Answer(key & ~RESPONSE, *_ANSWER_VALUES.unpack_from(frame, KEY_BYTES))
    if any(key == known for known, _ in BY_KEY):
        raise FrameError(Code.UNKNOWN_FRAME, f"{name_of(key)} has no version {version}")
    raise FrameError(Code.UNKNOWN_FRAME, f"there is no command {key:#06x}")


def key_of(command: Command) -> int:
    """The key of a command, with the bit of answers."""
    return RESPONSE | command.key if isinstance(command, Answer) else LAYOUTS[type(command)].key
