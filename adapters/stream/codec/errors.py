"""What is wrong with a frame or a command, in the protocol's terms."""

from __future__ import annotations

from warren.adapters.stream.codec.keys import Code


class FrameError(Exception):
    """Nothing can follow: the connection is closed with this code.

    limit: the limit that was met, if that is it (core.limit_hits).
    """

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.limit = ""


class Refused(Exception):
    """A command isn't done: it is answered with this code, and the connection goes on."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
