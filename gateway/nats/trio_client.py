"""The client for Trio: one task that keeps the connection, one that writes, and any number of tasks that ask.

A connection that is lost is made anew, to the next server of the list; calls wait for that within their patience, and
those that do no harm twice are asked again.  Subscriptions that renew themselves go on, without what was published
meanwhile.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import trio

from warren.gateway.nats.addresses import ServerAddress, learned_servers
from warren.gateway.nats.calls import Call, Reply, reply_of
from warren.gateway.nats.codec import Message
from warren.gateway.nats.errors import (
    LoginRefused,
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

PING_S: Final = 5.0
"""How long a server may be silent before it is asked; after as long again without a word it is given up."""

WAITING_MAX: Final = 1 << 16
"""Messages of a subscription that nobody has taken yet; with more it ends."""


class Subscription:
    """Messages of a subject, in order.  renews: a new connection goes on with it; otherwise it ends with the old
    one.
    """

    def __init__(self, subject: str, group: str, *, renews: bool) -> None:
        self.subject = subject
        self.group = group
        self.renews = renews
        self.sid = 0
        self._put, self._take = trio.open_memory_channel[Message](WAITING_MAX)

    async def receive(self) -> Message:
        """The next one.  Raises NatsDisconnected when none will come any more."""
        try:
            return await self._take.receive()
        except trio.EndOfChannel:
            raise NatsDisconnected(f"the subscription of {self.subject} has ended") from None

    def deliver(self, message: Message) -> None:
        """One came.  Who takes them too slowly loses the subscription, not some of its messages."""
        try:
            self._put.send_nowait(message)
        except (trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
            self.end()

    def end(self) -> None:
        """None will come any more."""
        self._put.close()


class _Asked:
    """A request that waits for its answers."""

    __slots__ = ("failure", "is_last", "ready", "replies", "subject")

    def __init__(self, call: Call[T]) -> None:
        self.subject = call.subject
        self.is_last = call.is_last
        self.replies: list[Reply] = []
        self.ready = trio.Event()
        self.failure: NatsError | None = None

    def take(self, message: Message) -> bool:
        """An answer came; whether it was the last one."""
        try:
            reply = reply_of(message, self.subject)
        except NatsError as error:
            self.fail(error)
            return True
        self.replies.append(reply)
        if not self.is_last(reply):
            return False
        self.ready.set()
        return True

    def fail(self, error: NatsError) -> None:
        self.failure = error
        self.ready.set()


@asynccontextmanager
async def open_client(options: Options, *, patience_s: float = 5.0) -> AsyncIterator[TrioClient]:
    """A client that keeps a connection until the block ends.  It doesn't wait for the first one; calls do.

    patience_s: how long a call waits for a server and its answer before it fails.
    """
    client = TrioClient(options, patience_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        try:
            yield client
        finally:
            nursery.cancel_scope.cancel()


class TrioClient:
    """See the head of this file; `open_client` makes it."""

    def __init__(self, options: Options, patience_s: float) -> None:
        self._options = options
        self._patience_s = patience_s
        self._servers = list(options.servers)
        self._session: Session | None = None
        self._failure: NatsError | None = None
        self._changed = trio.Event()
        self._written = trio.Event()
        self._asked: dict[str, _Asked] = {}
        self._subscriptions: list[Subscription] = []
        self._heard_s = 0.0

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection at the moment, as far as is known."""
        return self._session is not None

    async def server_info(self) -> tuple[Mapping[str, object], str]:
        """The INFO of the server that is connected, and its address.  Raises NatsUnreachable, LoginRefused."""
        session = await self._connected(trio.current_time() + self._patience_s)
        return session.info, str(session.server)

    async def call(self, call: Call[T]) -> T:
        """Ask, and wait for the answer.

        Raises NatsUnreachable where no server can be reached in time, NatsDisconnected where it isn't known what came
        of it, LoginRefused, NoResponders, and what the call makes of its answers.
        """
        deadline = trio.current_time() + self._patience_s
        while True:
            try:
                return await self._ask(call, deadline)
            except (NatsDisconnected, NoResponders) as error:
                # As the blocking client does it.
                may_repeat = call.patient if isinstance(error, NoResponders) else call.repeatable
                if not may_repeat or trio.current_time() + RETRY_FIRST_S > deadline:
                    raise
                await trio.sleep(RETRY_FIRST_S)

    async def publish(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Publish without an answer.  Raises NatsUnreachable; nobody knows whether it got anywhere."""
        session = await self._connected(trio.current_time() + self._patience_s)
        session.publish(subject, payload, headers=headers)
        self._written.set()

    @asynccontextmanager
    async def subscribe(self, subject: str, group: str = "", *, renews: bool = True) -> AsyncIterator[Subscription]:
        """Messages of a subject, until the block ends.  Raises NatsUnreachable."""
        session = await self._connected(trio.current_time() + self._patience_s)
        subscription = Subscription(subject, group, renews=renews)
        subscription.sid = session.subscribe(subject, group)
        self._written.set()
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
                if self._session is not None:
                    self._session.unsubscribe(subscription.sid)
                    self._written.set()

    async def run(self) -> None:
        """Keep a connection, until cancelled."""
        pause_s = RETRY_FIRST_S
        while True:
            server = self._servers.pop(0)
            self._servers.append(server)
            try:
                try:
                    await self._one_connection(server)
                finally:
                    was_connected = self._session is not None
                    self._lost()
            except (OSError, trio.BrokenResourceError, NatsError, trio.TooSlowError) as error:
                words = error if isinstance(error, NatsError) else NatsDisconnected(f"{server}: {error}")
            else:
                words = NatsDisconnected(f"{server} has closed the connection")
            self._failure = words
            self._notify()
            pause_s = RETRY_FIRST_S if was_connected else min(2 * pause_s, RETRY_MOST_S)
            await trio.sleep(pause_s * random.uniform(0.5, 1))

    async def _one_connection(self, server: ServerAddress) -> None:
        """From connecting until it is lost; returns when the server ends it, raises for all else."""
        with trio.fail_after(self._options.connect_timeout_s):
            stream: trio.abc.Stream = await trio.open_tcp_stream(server.host, server.port)
        try:
            session = Session(self._options, server)
            with trio.fail_after(self._options.connect_timeout_s):
                stream = await self._logged_in(stream, session)
            for other in learned_servers(session.info.get("connect_urls"), server):
                if all((each.host, each.port) != (other.host, other.port) for each in self._servers):
                    self._servers.append(other)
            self._begin(session)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream, session)
                nursery.start_soon(self._watch_over, session)
                await self._read(stream, session)
                nursery.cancel_scope.cancel()
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as group:
            raise NatsDisconnected(f"the connection to {server} was lost: {group.exceptions[0]}") from None
        except* NatsError as errors:
            raise _first(errors) from None
        finally:
            with trio.move_on_after(0):
                await trio.aclose_forcefully(stream)

    async def _logged_in(self, stream: trio.abc.Stream, session: Session) -> trio.abc.Stream:
        """Read and write until the server takes us; the stream to go on with."""
        while not session.is_ready:
            if session.wants_tls:
                secured = trio.SSLStream(stream, self._options.tls_context(), server_hostname=session.server.host)
                try:
                    await secured.do_handshake()
                except trio.BrokenResourceError as error:
                    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                        words = error.__cause__.verify_message
                        raise LoginRefused(f"{session.server} isn't who it should be: {words}") from error
                    raise
                stream = secured
                session.tls_began()
            if output := session.take_output():
                await stream.send_all(b"".join(output))
            data = await stream.receive_some(READ_BYTES)
            if not data:
                raise NatsDisconnected(f"{session.server} has closed the connection")
            session.receive(bytes(data))
        return stream

    def _begin(self, session: Session) -> None:
        self._session = session
        self._failure = None
        self._heard_s = trio.current_time()
        for subscription in self._subscriptions:
            subscription.sid = session.subscribe(subscription.subject, subscription.group)
        self._written.set()
        self._notify()

    def _lost(self) -> None:
        """There is no connection any more."""
        session, self._session = self._session, None
        if session is None:
            return
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.fail(NatsDisconnected(f"the connection to {session.server} was lost before the answer came"))
        for subscription in [each for each in self._subscriptions if not each.renews]:
            self._subscriptions.remove(subscription)
            subscription.end()

    async def _read(self, stream: trio.abc.Stream, session: Session) -> None:
        while data := await stream.receive_some(READ_BYTES):
            self._heard_s = trio.current_time()
            for message in session.receive(bytes(data)):
                if session.is_answer(message):
                    asked = self._asked.get(message.subject)
                    if asked is not None and asked.take(message):
                        del self._asked[message.subject]
                    continue
                for subscription in self._subscriptions:
                    if subscription.sid == message.sid:
                        subscription.deliver(message)
            # Answers to pings, too.
            self._written.set()
            if session.is_leaving:
                raise NatsDisconnected(f"{session.server} is about to stop")

    async def _write(self, stream: trio.abc.Stream, session: Session) -> None:
        """Whatever there is to send, in one task, so that no cancelled call leaves half of its octets behind."""
        while True:
            await self._written.wait()
            self._written = trio.Event()
            if output := session.take_output():
                await stream.send_all(b"".join(output))

    async def _watch_over(self, session: Session) -> None:
        """Give a server up that says nothing."""
        while True:
            await trio.sleep_until(self._heard_s + PING_S)
            if trio.current_time() < self._heard_s + PING_S:
                continue
            asked_at_s = trio.current_time()
            session.ping()
            self._written.set()
            await trio.sleep(PING_S)
            if self._heard_s < asked_at_s:
                raise NatsDisconnected(f"{session.server} doesn't answer any more")

    async def _connected(self, deadline: float) -> Session:
        """The session there is, or the next one."""
        while True:
            if self._session is not None:
                await trio.lowlevel.checkpoint()
                return self._session
            if isinstance(self._failure, (LoginRefused, NatsProtocolError)):
                raise self._failure
            with trio.move_on_at(deadline) as scope:
                await self._changed.wait()
            if scope.cancelled_caught and self._session is None:
                raise NatsUnreachable(f"no NATS server can be reached ({self._failure})")

    async def _ask(self, call: Call[T], deadline: float) -> T:
        session = await self._connected(deadline)
        asked = _Asked(call)
        inbox = session.request(call.subject, call.payload, call.headers)
        self._asked[inbox] = asked
        self._written.set()
        try:
            with trio.move_on_at(min(deadline, trio.current_time() + self._options.answer_timeout_s)):
                await asked.ready.wait()
        finally:
            # Whoever asked may have gone.
            self._asked.pop(inbox, None)
        if asked.failure is not None:
            raise asked.failure
        if not asked.ready.is_set():
            raise NatsDisconnected(f"{session.server} didn't answer at {call.subject} in time")
        return call.answer(asked.replies)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _first(group: BaseExceptionGroup[NatsError]) -> NatsError:
    """One error of a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, NatsError) else NatsDisconnected(str(error))
