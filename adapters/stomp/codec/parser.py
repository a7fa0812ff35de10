r"""Bytes to frames, cut anywhere (STOMP 1.2, "Augmented BNF"; spec B.1).

Theory of operation
-------------------
`next` takes bytes from a position on and gives the next frame, or nothing when the bytes end first: then it has taken
them all, keeps what it needs of the unfinished frame, and goes on with the bytes of the next call.  So nothing is ever
scanned twice, and a frame that trickles in byte by byte costs no more than one that comes whole.

    between frames --> command line --> header lines --> body of known length, then NUL --> between frames
                            |                |-------> body up to the NUL ---------------->
                            |                '-------> lines up to a lone "." (friendly) -->
                            '-- HELP or QUIT, which are lines alone ------------------------->

Between frames any number of NUL, LF and CRLF is skipped, so that a person may end the body with Ctrl-@ and Enter.
Lines end with LF or CRLF in all versions; any other carriage return is an error, except in 1.1, which has no escape
for it.  Every limit is checked before more is kept than it allows.

What depends on the version is set by the session once it is negotiated: `version` decides on escapes and, in 1.0, on
white space before values.  CONNECT and STOMP have no escapes.

What depends on a person typing (`friendly`): commands in any case, an unknown one being a frame by itself, white space
around names and values, no NUL behind frames that have no body, and a body of SEND that ends with a lone ".".  A header
line without a colon is left out, and what telnet says is passed over.

What only people type is explained in every session: words for help (typed_words.py), and before the login a command in
small letters, which isn't done.
"""

from __future__ import annotations

import re
from typing import Final

from warren.adapters.stomp.codec.errors import FramingError
from warren.adapters.stomp.codec.escaping import V1_0, V1_1, unescape
from warren.adapters.stomp.codec.frames import CLIENT_COMMANDS, CONNECT, NO_COLON, SEND, SMALL_LETTERS, STOMP, Frame
from warren.adapters.stomp.codec.limits import (
    BODY_BYTES_MAX,
    COMMAND_BYTES_MAX,
    FRAME_BYTES_MAX_BEFORE_LOGIN,
    HEADER_BYTES_MAX,
    HEADERS_MAX,
)
from warren.adapters.stomp.codec.refused_bytes import large_body, long_command, long_header, stray_carriage_return
from warren.adapters.stomp.codec.typed_words import INTERPRET_AS_COMMAND, WORDS, without_telnet
from warren.core.limit_hits import limited

_NUL: Final = 0
_LF: Final = 10
_CR: Final = 13

_between: Final = re.compile(rb"[\n\0]*").match
"""What is skipped between frames, but for line ends of two characters."""

_BETWEEN: Final = 0
_COMMAND: Final = 1
_HEADERS: Final = 2
_SIZED_BODY: Final = 3
_OPEN_BODY: Final = 4
_TYPED_BODY: Final = 5

_LINE_BYTES_MAX: Final = 2 * HEADER_BYTES_MAX + 2

_LENGTH_DIGITS_MAX: Final = 18
"""More digits than any length that could be meant."""


class FrameParser:
    """The parser of one connection; see the head of this file.

    version: None before CONNECT.  frame_bytes_max, body_bytes_max: limits in bytes, others after the login.
    friendly: a person is typing.  friendly_expected: find out with the first frame whether one is.
    idle: True between frames.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_command",
        "_counted",
        "_crlf_only",
        "_headers",
        "_line",
        "_missing",
        "_stage",
        "body_bytes_max",
        "frame_bytes_max",
        "friendly",
        "friendly_expected",
        "version",
    )

    def __init__(self, *, friendly_expected: bool = False) -> None:
        self.version: str | None = None
        self.frame_bytes_max = FRAME_BYTES_MAX_BEFORE_LOGIN
        self.body_bytes_max = BODY_BYTES_MAX
        self.friendly = False
        self.friendly_expected = friendly_expected
        self._stage = _BETWEEN
        self._line = bytearray()
        self._command = ""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._missing = 0
        self._counted = 0
        self._crlf_only = True

    def logged_in(self, version: str, frame_bytes_max: int, body_bytes_max: int) -> None:
        """CONNECT was accepted: frames of this version from now on, and other limits, in bytes."""
        self.version = version
        self.frame_bytes_max = frame_bytes_max
        self.body_bytes_max = body_bytes_max

    def be_friendly(self) -> None:
        """A person is typing."""
        self.friendly = True
        self.friendly_expected = False

    @property
    def idle(self) -> bool:
        """True when no frame is under way."""
        return self._stage == _BETWEEN

    @property
    def receipt(self) -> str | None:
        """The receipt that the unfinished frame asks for, if that is known yet."""
        return self._headers.get("receipt")

    def next(self, data: bytes, position: int) -> tuple[Frame | None, int]:
        """The next frame of `data` from `position` on, and the position behind it; None when all is taken.

        Raises FramingError for what is no frame or exceeds a limit; nothing can be parsed after that.
        """
        end = len(data)
        start = position
        whole = self._stage == _BETWEEN
        if whole:
            position = start = self._skip(data, position)
            if position == end:
                return None, end
            self._begin()
        while self._stage <= _HEADERS:
            stop = data.find(b"\n", position)
            if stop < 0:
                self._keep(data[position:])
                return None, end
            line = data[position:stop]
            if self._line:
                line = bytes(self._line) + line
                self._line.clear()
            position = stop + 1
            self._count(position - start)
            start = position
            frame = self._take_line(line)
            if frame is not None:
                return frame, position
        return self._take_body(data, position, position if whole else -1)

    # Between frames

    def _skip(self, data: bytes, position: int) -> int:
        """Where the next frame begins; a carriage return at the very end is kept to see what follows it."""
        end = len(data)
        if self._line and position < end:
            self._line.clear()
            if data[position] != _LF:
                raise stray_carriage_return()
        while position < end:
            byte = data[position]
            if byte == _CR:
                if position + 1 == end:
                    self._line += b"\r"
                elif data[position + 1] != _LF:
                    raise stray_carriage_return()
            elif byte not in (_LF, _NUL):
                return position
            found = _between(data, position + 1)
            position = position + 1 if found is None else found.end()
        return end

    def _begin(self) -> None:
        self._stage = _COMMAND
        self._command = ""
        self._headers = {}
        self._body = []
        self._body_bytes = 0
        self._missing = -1
        self._counted = 0
        self._crlf_only = True

    # Lines

    def _keep(self, part: bytes) -> None:
        """The beginning of a line whose end has not come yet."""
        self._count(len(part))
        self._line += part
        if self._stage == _COMMAND:
            if len(self._line) > COMMAND_BYTES_MAX + 1:
                raise long_command()
        elif len(self._line) > _LINE_BYTES_MAX:
            raise long_header()

    def _count(self, more: int) -> None:
        self._counted += more
        if self._counted > self.frame_bytes_max:
            raise FramingError(
                f"the frame is larger than {self.frame_bytes_max} bytes, the limit"
                + (" before logging in" if self.version is None else " (stomp.max_frame_size); send less at once")
            )

    def _take_line(self, line: bytes) -> Frame | None:
        """A whole line, command or header; the blank one ends the head, and with it some frames."""
        if line.endswith(b"\r"):
            line = line[:-1]
        else:
            self._crlf_only = False
        if self.friendly and INTERPRET_AS_COMMAND in line:
            line = without_telnet(line)
        if b"\r" in line and self.version != V1_1:
            raise stray_carriage_return()
        if b"\0" in line:
            raise FramingError(
                "a NUL byte before the blank line that ends the headers; a frame is a command, headers, a blank line, "
                "a body that may be empty, and then NUL"
            )
        if self._stage == _COMMAND:
            return self._take_command(line)
        if line:
            return self._take_header(line)
        return self._end_head()

    def _take_command(self, line: bytes) -> Frame | None:
        if len(line) > COMMAND_BYTES_MAX:
            raise long_command()
        command = line.decode("utf-8", "backslashreplace")
        if command not in CLIENT_COMMANDS:
            word = command.strip().upper()
            if word in WORDS:
                return self._alone(Frame(WORDS[word], {}))
            if word in CLIENT_COMMANDS and self.friendly_expected and self._crlf_only:
                self.be_friendly()
            if self.friendly:
                if not word:
                    return None
                command = word
                if command not in CLIENT_COMMANDS:
                    return self._alone(Frame(command, {}))
            elif word in CLIENT_COMMANDS and self.version is None:
                return self._alone(Frame(SMALL_LETTERS, {"line": command}))
        self._command = command
        self._stage = _HEADERS
        return None

    def _alone(self, frame: Frame) -> Frame:
        """A frame that is a line."""
        self._stage = _BETWEEN
        return frame

    def _take_header(self, line: bytes) -> Frame | None:
        if len(self._headers) >= HEADERS_MAX:
            raise limited(FramingError(f"more than {HEADERS_MAX} headers in a frame"), "headers of a STOMP frame")
        name_bytes, colon, value_bytes = line.partition(b":")
        if not colon or not name_bytes:
            shown = line[:80].decode("utf-8", "backslashreplace")
            if self.friendly:
                return Frame(NO_COLON, {"line": shown})
            raise FramingError(
                f"header line '{shown}' has no {'name' if colon else 'colon'}; "
                "write name:value, and a blank line before the body"
            )
        if len(name_bytes) > HEADER_BYTES_MAX or len(value_bytes) > HEADER_BYTES_MAX:
            raise long_header()
        name = name_bytes.decode("utf-8", "surrogateescape")
        value = value_bytes.decode("utf-8", "surrogateescape")
        if self.version == V1_0:
            value = value.lstrip(" \t")
        elif self.version is not None and b"\\" in line and self._command not in (CONNECT, STOMP):
            name, value = unescape(name), unescape(value)
        if self.friendly:
            name, value = name.strip(), value.strip()
        if name not in self._headers:
            self._headers[name] = value
        return None

    def _end_head(self) -> Frame | None:
        if self.friendly_expected:
            self.friendly_expected = False
            self.friendly = (
                self._crlf_only and self._command in (CONNECT, STOMP) and "accept-version" not in self._headers
            )
            if self.friendly:
                self._headers = {name.strip(): value.strip() for name, value in self._headers.items()}
        size = self._content_length()
        if size is not None:
            self._missing = size
            self._stage = _SIZED_BODY
        elif self.friendly and self._command == SEND:
            self._stage = _TYPED_BODY
        elif self.friendly:
            return self._done(b"", -1)
        else:
            self._stage = _OPEN_BODY
        return None

    def _content_length(self) -> int | None:
        """The body's length where the frame gives it; what isn't a number gives none."""
        text = self._headers.get("content-length")
        if text is None:
            return None
        digits = text.strip()
        if digits.startswith("-") and digits[1:].isdecimal():
            raise FramingError(f"content-length is {digits[:40]}; a length can't be negative")
        if not (digits.isascii() and digits.isdecimal()):
            return None
        size = int(digits[:_LENGTH_DIGITS_MAX])
        if size > self.body_bytes_max:
            raise large_body(self.body_bytes_max)
        if self._counted + size > self.frame_bytes_max:
            self._count(size)
        return size

    # Bodies

    def _take_body(self, data: bytes, position: int, body_at: int) -> tuple[Frame | None, int]:
        if self._stage == _SIZED_BODY:
            return self._take_sized(data, position, body_at)
        if self._stage == _TYPED_BODY:
            return self._take_typed(data, position)
        stop = data.find(b"\0", position)
        if stop < 0:
            self._keep_body(data[position:])
            return None, len(data)
        self._keep_body(data[position:stop])
        return self._done(self._joined(), body_at), stop + 1

    def _take_sized(self, data: bytes, position: int, body_at: int) -> tuple[Frame | None, int]:
        end = len(data)
        if self._missing:
            part = data[position : position + self._missing]
            self._missing -= len(part)
            position += len(part)
            self._keep_body(part)
        if position >= end:
            return None, end
        if data[position] != _NUL:
            raise FramingError(
                f"content-length says {self._body_bytes} bytes, but no NUL follows them; "
                "count the body in bytes, not in characters, or leave content-length out",
                receipt=self.receipt,
            )
        return self._done(self._joined(), body_at), position + 1

    def _take_typed(self, data: bytes, position: int) -> tuple[Frame | None, int]:
        """Lines up to a lone "." or a NUL; a line of more dots loses one."""
        end = len(data)
        while position < end:
            stop = data.find(b"\n", position)
            nul = data.find(b"\0", position, end if stop < 0 else stop)
            if nul >= 0:
                last = bytes(self._line) + data[position:nul]
                self._line.clear()
                if last:
                    self._keep_body(last)
                return self._done(b"\n".join(self._body), -1), nul + 1
            if stop < 0:
                self._count(end - position)
                self._line += data[position:]
                return None, end
            line = (bytes(self._line) + data[position:stop]).removesuffix(b"\r")
            self._line.clear()
            position = stop + 1
            if INTERPRET_AS_COMMAND in line:
                line = without_telnet(line)
            if line == b".":
                return self._done(b"\n".join(self._body), -1), position
            if line.strip(b".") == b"" and line:
                line = line[1:]
            self._keep_body(line)
        return None, end

    def _keep_body(self, part: bytes) -> None:
        self._body_bytes += len(part)
        if self._body_bytes > self.body_bytes_max:
            raise large_body(self.body_bytes_max)
        self._count(len(part))
        if part or self._stage == _TYPED_BODY:
            self._body.append(part)

    def _joined(self) -> bytes:
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def _done(self, body: bytes, body_at: int) -> Frame:
        self._stage = _BETWEEN
        frame = Frame(self._command, self._headers, body, body_at)
        self._body = []
        self._headers = {}
        return frame
