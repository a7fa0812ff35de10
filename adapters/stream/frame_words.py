"""What the stream protocol's frames look like in words, for a tap (adapters.session.tap)."""

from __future__ import annotations

from typing import Final

from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import KEY_BYTES, SIZE_BYTES, decode, name_of
from warren.adapters.stream.codec.errors import FrameError
from warren.adapters.stream.codec.keys import Code

SHOWN_CHARACTERS_MAX: Final = 500
"""Of a command."""

_WITHOUT_CONTENT: Final = (commands.Publish, commands.PublishV2, commands.Deliver, commands.DeliverV2)
_HIDDEN: Final = "•••"


class StreamFrameWords:
    """See adapters.session.tap.FrameWords."""

    def size(self, data: bytes, at: int) -> int | None:
        """See FrameWords.size."""
        if at + SIZE_BYTES > len(data):
            return None
        return SIZE_BYTES + int.from_bytes(data[at : at + SIZE_BYTES], "big")

    def describe(self, head: bytes, size: int, *, received: bool) -> str:
        """See FrameWords.describe."""
        frame = head[SIZE_BYTES:size]
        key = int.from_bytes(frame[:2], "big")
        if len(frame) < KEY_BYTES or len(head) < size:
            return f"{name_of(key)}, {size} bytes"
        try:
            command = decode(frame)
        except FrameError as error:
            return f"{size} bytes that are no command: {error.text}"
        if isinstance(command, commands.SaslAuthenticate):
            return _cut(f"{name_of(key)} mechanism={command.mechanism} {_HIDDEN}")
        return _cut(" ".join([name_of(key), *_fields(command)]))


def _fields(command: commands.Command) -> list[str]:
    shown = []
    for name, value in zip(getattr(command, "_fields", ()), command, strict=True):
        if isinstance(value, bytes) and isinstance(command, _WITHOUT_CONTENT):
            shown.append(f"{len(value)} bytes")
        elif name == "code" and isinstance(value, int) and value in set(Code):
            shown.append(f"code={Code(value).name}")
        else:
            shown.append(f"{name}={value!r}")
    return shown


def _cut(text: str) -> str:
    return f"{text[:SHOWN_CHARACTERS_MAX]}…" if len(text) > SHOWN_CHARACTERS_MAX else text
