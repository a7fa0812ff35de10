"""A blocking client of the stream protocol over a bare socket, for brokers that are real processes, and may be killed.

Commands are made and read by the broker's own codec.  Nothing that arrives is skipped but heartbeats; every read is
bounded in time.
"""

from __future__ import annotations

from typing import Any

from tests.support.amqp_wire import TIME_LIMIT_S, Address, WireClient
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import decode, encode
from warren.adapters.stream.codec.keys import Code

FRAME_MAX = 1 << 20


class StreamWireClient(WireClient):
    """One socket to a broker's stream listener; `log_in` is civil, `ask` and `take` are the rest.

    unasked: what came while an answer was awaited, in order.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.unasked: list[Any] = []
        self._correlation = 0

    def log_in(self) -> StreamWireClient:
        """As guest, into the virtual host `/`."""
        self.ask(commands.PeerProperties, {"product": "test"})
        self.ask(commands.SaslHandshake)
        self.ask(commands.SaslAuthenticate, "PLAIN", b"\0guest\0guest")
        tune = self.take()
        assert isinstance(tune, commands.Tune)
        self.tell(commands.Tune(FRAME_MAX, 0))
        self.ask(commands.Open, "/")
        return self

    def tell(self, *many: commands.Command) -> None:
        """Send commands; a broker that is gone is found by reading."""
        self.send_if_open(*map(encode, many))

    def ask(self, make: Any, *values: object, code: Code = Code.OK) -> Any:
        """Send a command with a correlation id; its answer, which must have this code."""
        self._correlation += 1
        self.tell(make(self._correlation, *values))
        while getattr(found := self.read(), "correlation_id", None) != self._correlation:
            self.unasked.append(found)
        assert found.code == code, found
        return found

    def left_over(self) -> bytes:
        """What has been read and not taken apart, for who goes on with the socket."""
        left, self._received = self._received, b""
        return left

    def take(self) -> Any:
        """The next command that isn't an answer to `ask`.  Raises DisconnectedError where the broker is gone."""
        return self.unasked.pop(0) if self.unasked else self.read()

    def read(self) -> Any:
        """The next command as it comes, heartbeats left out."""
        while True:
            size = int.from_bytes(self.read_exactly(4, TIME_LIMIT_S), "big")
            found = decode(self.read_exactly(size, TIME_LIMIT_S))
            if not isinstance(found, commands.Heartbeat):
                return found
