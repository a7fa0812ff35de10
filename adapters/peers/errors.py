"""How a connection to another broker, or a part of it, ends."""

from __future__ import annotations


class PeerError(Exception):
    """text: what happened, for people, without any password.  code: the protocol's own for it if the peer gave one."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
