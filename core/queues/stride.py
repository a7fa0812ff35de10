"""Messages that lie one behind the other in a queue and are alike: how one delivery looks says how all of them do.

Of a message that goes to many queues their consumers are given the same row of messages, one consumer after the other.
What the first of them found out about it is kept until the end of the turn: that the messages are the same ones is
seen in one comparison of two lists, and where even the bytes are the same, they are made once.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.messages.message import Message

if TYPE_CHECKING:
    from collections import deque

STRIDE_MAX: Final = 1024
"""Messages that are looked at together."""

PACKETS_MAX: Final = 16
"""Rows of bytes that are kept of one stride: as many as there are forms of it among its consumers, in most cases."""


class LatestStride:
    """The latest one that a broker's consumers were given.

    messages: alike in address, in `framed_for`, and in the sizes of body and content.  contents: theirs.
    """

    __slots__ = ("_packets", "contents", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.contents: list[bytes] = []
        self._packets: dict[tuple[bytes, int, int, int], bytes] = {}

    def find(self, ready: deque[Message | int], most: int) -> int:
        """How many messages are alike at the front of `ready`, at most so many: those are in `messages` and `contents`.

        There may be more in these lists than that.
        """
        first = ready[0]
        if not isinstance(first, Message):
            return 0
        known = self.messages
        most = min(most, STRIDE_MAX)
        if known and known[0] is first:
            count = min(most, len(known), len(ready))
            if list(islice(ready, count)) == (known if count == len(known) else known[:count]):
                return count
        address, framed_for, size, content_size = first.address, first.framed_for, first.body_size, len(first.content)
        messages: list[Message] = []
        contents: list[bytes] = []
        for message in islice(ready, most):
            if (
                isinstance(message, int)
                or message.address is not address
                or message.framed_for != framed_for
                or message.body_size != size
            ):
                break
            content = message.content
            if len(content) != content_size:
                break
            messages.append(message)
            contents.append(content)
        self.messages = messages
        self.contents = contents
        self._packets = {}
        return len(messages)

    def packets(self, prefix: bytes, octet_at: int, octet: int, at: int, count: int) -> bytes:
        """`count` contents from the one at `at` on, each behind `prefix`, whose octet at `octet_at` counts up.

        octet: in the first of them; that in the last is at most 255.
        """
        key = prefix, octet, at, count
        made = self._packets.get(key)
        if made is None:
            contents = self.contents if not at and count == len(self.contents) else self.contents[at : at + count]
            buffer = bytearray(prefix)
            buffer += prefix.join(contents)
            buffer[octet_at :: len(prefix) + len(contents[0])] = OCTETS[octet : octet + count]
            made = bytes(buffer)
            if len(self._packets) < PACKETS_MAX:
                self._packets[key] = made
        return made

    def forget(self) -> None:
        """The turn is over."""
        if self.messages:
            self.messages = []
            self.contents = []
            self._packets = {}


OCTETS: Final = bytes(range(256))
"""As they count up."""
