"""How a connection to another broker, or a channel of it, ends."""

from __future__ import annotations


class PeerError(Exception):
    """code: AMQP's reply code if the peer gave one, else 0.  text: what happened, for people, without any password."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
