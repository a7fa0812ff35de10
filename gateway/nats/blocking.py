"""The client for a thread that may wait: the one that flushes, and the one that tidies up.

One thread at a time uses it.  A connection that was lost, also while nobody used it, is made anew with the next call,
to the next server of the list; what was asked for then is asked again where that does no harm (`Call.repeatable`).
`close` may be called by any thread, and ends what another one waits for.
"""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from warren.gateway.nats.addresses import ServerAddress, learned_servers
from warren.gateway.nats.calls import Call, Reply, reply_of
from warren.gateway.nats.codec import Message
from warren.gateway.nats.errors import (
    LoginRefused,
    NatsClosed,
    NatsDisconnected,
    NatsError,
    NatsProtocolError,
    NatsUnreachable,
    NoResponders,
)
from warren.gateway.nats.options import RETRY_FIRST_S, RETRY_MOST_S, Options
from warren.gateway.nats.session import Session

T = TypeVar("T")

READ_BYTES: Final = 1 << 18


class Asked(Generic[T]):
    """A call that was sent, and whose answer nobody has waited for yet.

    arrived: messages for it that came while somebody waited for another call's answer.
    """

    __slots__ = ("arrived", "call", "inbox", "replies", "session")

    def __init__(self, call: Call[T], session: Session, inbox: str) -> None:
        self.call = call
        self.session = session
        self.inbox = inbox
        self.replies: list[Reply] = []
        self.arrived: deque[Message] = deque()


class BlockingClient:
    """See the head of this file.

    patience_s: how long a call waits for an answer, and for a server that answers, before it fails.
    """

    def __init__(self, options: Options, *, patience_s: float = 5.0) -> None:
        self._options = options
        self._patience_s = patience_s
        self._servers = list(options.servers)
        self._session: Session | None = None
        self._socket: socket.socket | None = None
        self._waiting: dict[str, Asked[Any]] = {}
        self._is_closed = False

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def server_info(self) -> tuple[Mapping[str, object], str]:
        """The INFO of the server that is connected, and its address.  Raises NatsError as `call` does."""
        session = self._connected(time.monotonic() + self._patience_s)
        return session.info, str(session.server)

    def payload_bytes_max(self) -> int:
        """The most that the server takes in one message.  Raises NatsError as `call` does."""
        return self._connected(time.monotonic() + self._patience_s).payload_bytes_max

    def call(self, call: Call[T]) -> T:
        """Ask, and wait for the answer.

        Raises NatsUnreachable where no server can be reached in time, NatsDisconnected where it isn't known what came
        of it, LoginRefused, NoResponders, what the call makes of its answers, and NatsClosed.
        """
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                asked = self._start(call, deadline)
                return self._finish(asked, min(deadline, time.monotonic() + self._options.answer_timeout_s))
            except (NatsDisconnected, NoResponders) as error:
                # A stream without a leader doesn't answer, or says at once that nobody does; it gets one in seconds.
                # What reached nobody may be sent again, whatever it is.
                may_repeat = call.repeatable or isinstance(error, NoResponders)
                if not may_repeat or time.monotonic() + RETRY_FIRST_S > deadline:
                    raise
                time.sleep(RETRY_FIRST_S)

    def start(self, call: Call[T]) -> Asked[T]:
        """Send it; `finish` waits for the answer.  Raises as `call`."""
        return self._start(call, time.monotonic() + self._patience_s)

    def finish(self, asked: Asked[T]) -> T:
        """The answer.  Raises as `call`, which here never asks again."""
        return self._finish(asked, time.monotonic() + self._patience_s)

    def close(self) -> None:
        """End the connection, for good."""
        self._is_closed = True
        connection = self._socket
        if connection is not None:
            # Closing alone wouldn't wake a thread that reads.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _start(self, call: Call[T], deadline: float) -> Asked[T]:
        session = self._connected(deadline)
        inbox = session.request(call.subject, call.payload, call.headers)
        self._send(session, deadline)
        asked = self._waiting[inbox] = Asked(call, session, inbox)
        return asked

    def _finish(self, asked: Asked[T], deadline: float) -> T:
        """Read until the last answer is there."""
        try:
            while True:
                while asked.arrived:
                    reply = reply_of(asked.arrived.popleft(), asked.call.subject)
                    asked.replies.append(reply)
                    if asked.call.is_last(reply):
                        return asked.call.answer(asked.replies)
                if asked.session is not self._session:
                    raise NatsDisconnected(f"the connection to {asked.session.server} was lost before the answer came")
                self._sort(self._receive(asked.session, deadline))
        finally:
            self._waiting.pop(asked.inbox, None)

    def _sort(self, messages: Iterable[Message]) -> None:
        """To the calls that wait for them."""
        for message in messages:
            # Late answers of calls that were given up have inboxes of their own, and nobody waits for them.
            waiting = self._waiting.get(message.subject)
            if waiting is not None:
                waiting.arrived.append(message)

    def _connected(self, deadline: float) -> Session:
        """The session there is, or a new one to the first server that takes us."""
        self._drop_if_ended()
        pause_s = RETRY_FIRST_S
        while self._session is None:
            failures: list[str] = []
            for server in list(self._servers):
                if self._is_closed:
                    raise NatsClosed("the client of NATS was closed")
                try:
                    return self._connect(server, deadline)
                except (OSError, NatsDisconnected, NatsProtocolError) as error:
                    failures.append(f"{server}: {error}")
                    self._drop()
                    self._servers.remove(server)
                    self._servers.append(server)
                except NatsError:
                    self._drop()
                    raise
            if time.monotonic() + pause_s > deadline:
                raise NatsUnreachable(f"no NATS server can be reached ({'; '.join(failures)})")
            time.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(2 * pause_s, RETRY_MOST_S)
        return self._session

    def _connect(self, server: ServerAddress, deadline: float) -> Session:
        """One try; raises OSError besides."""
        options = self._options
        deadline = min(deadline, time.monotonic() + options.connect_timeout_s)
        connection = socket.create_connection((server.host, server.port), _left(deadline))
        self._socket = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(options, server)
        self._session = session
        while not session.is_ready:
            if session.wants_tls:
                connection.settimeout(_left(deadline))
                try:
                    connection = options.tls_context().wrap_socket(connection, server_hostname=server.host)
                except ssl.SSLCertVerificationError as error:
                    raise LoginRefused(f"{server} isn't who it should be: {error.verify_message}") from error
                self._socket = connection
                session.tls_began()
            self._send(session, deadline)
            self._receive(session, deadline)
        for other in learned_servers(session.info.get("connect_urls"), server):
            if all((each.host, each.port) != (other.host, other.port) for each in self._servers):
                self._servers.append(other)
        return session

    def _receive(self, session: Session, deadline: float) -> list[Message]:
        """What comes next; raises NatsDisconnected behind which there is no session any more."""
        connection = self._socket
        if connection is None:
            raise NatsDisconnected(f"the connection to {session.server} was lost")
        try:
            connection.settimeout(_left(deadline))
            data = connection.recv(READ_BYTES)
            if not data:
                raise NatsDisconnected(f"{session.server} has closed the connection")
            messages = session.receive(data)
        except TimeoutError as error:
            # The connection is given up: behind a server that is paused for long, another one may answer.
            self._drop()
            raise NatsDisconnected(f"{session.server} didn't answer in time") from error
        except OSError as error:
            self._drop()
            raise self._lost(session, error) from error
        except NatsError:
            self._drop()
            raise
        if session.is_ready:
            self._send(session, deadline)
        return messages

    def _send(self, session: Session, deadline: float) -> None:
        """All there is to send."""
        output = session.take_output()
        connection = self._socket
        if not output:
            return
        if connection is None:
            raise NatsDisconnected(f"the connection to {session.server} was lost")
        try:
            connection.settimeout(_left(deadline))
            connection.sendall(b"".join(output))
        except OSError as error:
            self._drop()
            raise self._lost(session, error) from error

    def _lost(self, session: Session, error: OSError) -> NatsError:
        if self._is_closed:
            return NatsClosed("the client of NATS was closed")
        return NatsDisconnected(f"the connection to {session.server} was lost: {error}")

    def _drop_if_ended(self) -> None:
        """Read what came meanwhile: pings, news of servers, perhaps the end."""
        session, connection = self._session, self._socket
        if self._is_closed:
            raise NatsClosed("the client of NATS was closed")
        if session is None or connection is None:
            return
        try:
            connection.settimeout(0)
            while data := connection.recv(READ_BYTES):
                self._sort(session.receive(data))
            self._drop()
        except (BlockingIOError, ssl.SSLWantReadError):
            if session.is_leaving:
                self._drop()
        except (OSError, NatsError):
            self._drop()

    def _drop(self) -> None:
        """There is no connection any more; the server that had it is the last to be tried again."""
        session, self._session = self._session, None
        connection, self._socket = self._socket, None
        self._waiting.clear()
        if connection is not None:
            connection.close()
        if session is not None and session.server in self._servers:
            self._servers.remove(session.server)
            self._servers.append(session.server)


def _left(deadline: float) -> float:
    """Seconds until then; a little where it is past, since 0 means that nothing is waited for."""
    return max(deadline - time.monotonic(), 0.001)
