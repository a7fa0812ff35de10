"""`warren_broker`: the broker as one test has it, with a virtual host of its own.

Looks (`queues`, `messages`, `published`) and faults are plain calls that take about a millisecond, in any thread and in
any event loop.  What waits (`wait_until`, `wait_until_idle`, ...) is for tests without an event loop; in one it says
what to write instead.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from warren.testing.definitions import for_vhost
from warren.testing.errors import WarrenError
from warren.testing.link import Link
from warren.testing.loops import check_may_wait, running_loop
from warren.testing.rows import (
    ConnectionState,
    Leftovers,
    MqttAddress,
    Published,
    QueuedMessage,
    QueueState,
    StompAddress,
    connection_state,
    published,
    queue_state,
    queued_message,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from warren.testing.process import BrokerProcess

WAIT_S: Final = 10.0
"""How long to wait for what a test expects, which seldom takes more than milliseconds, unless it says otherwise."""

LOOK_S: Final = 0.005
"""Between two looks."""

MESSAGES_SHOWN: Final = 100

CONNECTION_FORCED: Final = 320

CLOSED_TEXT: Final = "CONNECTION_FORCED - closed by the test"

Found = TypeVar("Found")


class WarrenBroker:
    """See the head of this file; made by the fixture.  vhost: the test's own virtual host."""

    def __init__(self, process: BrokerProcess, vhost: str) -> None:
        self.vhost = vhost
        self._process = process
        self._alarms: set[str] = set()
        self._links: list[Link] = []
        process.ask("open_vhost", vhost=vhost)

    # Where it is

    @property
    def user(self) -> str:
        """Whom to log in as."""
        return self._process.user

    @property
    def password(self) -> str:
        """Of that user."""
        return self._process.password

    @property
    def data_directory(self) -> Path:
        """For `warren ctl --data-dir`, while a debugger holds the test."""
        return self._process.data_directory

    def address(self, protocol: str = "amqp") -> tuple[str, int]:
        """Host and port for amqp (0-9-1 and 1.0), mqtt, stomp or ws (WebSocket)."""
        return self._process.addresses[protocol]

    @property
    def url(self) -> str:
        """amqp://USER:PASSWORD@HOST:PORT/VHOST"""
        return self._url(*self.address())

    @property
    def mqtt(self) -> MqttAddress:
        """For a client of MQTT."""
        return MqttAddress(*self.address("mqtt"), f"{self.vhost}:{self.user}", self.password)

    @property
    def stomp(self) -> StompAddress:
        """For a client of STOMP."""
        return StompAddress(*self.address("stomp"), self.user, self.password, self.vhost)

    # What is in it

    def queues(self) -> list[QueueState]:
        """All queues of the virtual host."""
        return [queue_state(row) for row in self.rows("queues")]

    def queue(self, name: str) -> QueueState:
        """One of them; WarrenError when it isn't there."""
        found = self.queues()
        for each in found:
            if each.name == name:
                return each
        raise WarrenError(f"there is no queue '{name}', but {_listed(sorted(each.name for each in found))}")

    def messages(self, queue: str, count: int = MESSAGES_SHOWN) -> list[QueuedMessage]:
        """Messages that wait for a consumer, the first first; they stay where they are."""
        return [queued_message(each) for each in self._ask("messages", queue=queue, count=count)]

    def published(self, exchange: str | None = None, routing_key: str | None = None) -> list[Published]:
        """What clients have published, to this exchange and with this routing key, and where it went.

        The exchange '' is the default one.  A restart of the broker forgets it.
        """
        return [published(each) for each in self._ask("published", exchange=exchange, routing_key=routing_key)]

    def connections(self) -> list[ConnectionState]:
        """Connections to the virtual host, of all protocols."""
        return [connection_state(row) for row in self.rows("connections")]

    def rows(self, what: str) -> list[dict[str, Any]]:
        """Of queues, exchanges, bindings, consumers, connections or channels, as `warren ctl list_...` has them."""
        found: list[dict[str, Any]] = self._ask("rows", what=what)
        return found

    def leftovers(self) -> Leftovers:
        """What clients have left in it by now."""
        queues = self.queues()
        return Leftovers(
            tuple(self.connections()),
            {each.name: each.unacknowledged for each in queues if each.unacknowledged},
            {each.name: each.ready for each in queues if each.ready},
        )

    def import_definitions(self, path: str | os.PathLike[str]) -> list[str]:
        """Import a definitions file, RabbitMQ's or Warren's, into the virtual host; what of it was left out."""
        warnings: list[str] = self._process.ask(
            "import_definitions", document=for_vhost(Path(path), self.vhost, self.user)
        )
        return warnings

    # What is expected of it

    def assert_routed(
        self,
        exchange: str,
        routing_key: str,
        *queues: str,
        body: bytes | None = None,
        count: int | None = None,
        timeout: float = WAIT_S,
    ) -> list[Published]:
        """Messages were published to the exchange with this routing key, and routed to these queues and no others.

        No queues: wherever they went.  body: those with it alone count.  count: exactly so many, else at least one.
        In a test without an event loop it waits so many seconds for them.  Gives them, or fails with what was
        published instead.
        """
        __tracebackhide__ = True

        def wanted() -> list[Published]:
            found = self.published(exchange, routing_key)
            return [each for each in found if body is None or each.body == body]

        enough = 1 if count is None else count
        found = _until(wanted, lambda found: len(found) >= enough, 0 if running_loop() else timeout)
        if len(found) < enough or (count is not None and len(found) > count):
            raise AssertionError(
                f"{len(found)} messages {'like that ' if body is not None else ''}were published to exchange "
                f"'{exchange}' with routing key '{routing_key}', not {count or 'one or more'}; "
                f"all that was published:{_told(self.published())}"
            )
        for each in found:
            if queues and sorted(each.queues) != sorted(queues):
                raise AssertionError(
                    f"a message to exchange '{exchange}' with routing key '{routing_key}' was routed to "
                    f"{_listed(each.queues)}, not to {_listed(queues)}"
                )
        return found

    def wait_until(self, condition: Callable[[], Found], timeout: float = WAIT_S, what: str = "") -> Found:
        """Look again and again until the condition holds; what it gave.  WarrenError when it doesn't in time."""
        __tracebackhide__ = True
        check_may_wait("wait_until")
        found = _until(condition, bool, timeout)
        if not found:
            raise WarrenError(f"{what or 'the condition'}: not within {timeout:g} s; in the broker are{self._state()}")
        return found

    def wait_for_messages(self, queue: str, count: int, timeout: float = WAIT_S) -> QueueState:
        """Wait until so many messages are in a queue, unacknowledged ones included."""
        __tracebackhide__ = True
        check_may_wait("wait_for_messages")
        self.wait_until(lambda: self._has(queue, "messages", count), timeout, f"{count} messages in queue '{queue}'")
        return self.queue(queue)

    def wait_for_consumers(self, queue: str, count: int = 1, timeout: float = WAIT_S) -> QueueState:
        """Wait until a queue has so many consumers."""
        __tracebackhide__ = True
        check_may_wait("wait_for_consumers")
        self.wait_until(lambda: self._has(queue, "consumers", count), timeout, f"{count} consumers of queue '{queue}'")
        return self.queue(queue)

    def wait_until_idle(self, *queues: str, timeout: float = WAIT_S) -> None:
        """Wait until these queues, or all, have no messages: everything has been consumed and settled."""
        __tracebackhide__ = True
        check_may_wait("wait_until_idle")

        def idle() -> bool:
            return not any(each.messages for each in self.queues() if not queues or each.name in queues)

        self.wait_until(idle, timeout, "nothing left to do")

    # Faults

    def close(self, connection: ConnectionState | str, code: int = CONNECTION_FORCED, text: str = CLOSED_TEXT) -> None:
        """Close a connection, as an operator or an error would: AMQP 0-9-1 with any reply code, others with the text.

        connection: one of `connections()`, or what its client calls it.
        """
        self._process.ask("close_connection", connection=self._named(connection), code=code, text=text)

    @contextmanager
    def refuse_confirms(self, *queues: str) -> Iterator[None]:
        """Have these queues, or all that there are, refuse what is published: basic.nack for publishers that confirm.

        As full queues with reject-publish do, whatever room there is.  By the stream protocol: PublishError, 0x11.
        """
        names = queues or tuple(each.name for each in self.queues())
        if not names:
            raise WarrenError("there is no queue yet that could refuse anything; declare one first, or name it")
        self._ask("refuse", queues=names, refuses=True)
        try:
            yield
        finally:
            if self._process.running:
                there = {each.name for each in self.queues()}
                self._ask("refuse", queues=[name for name in names if name in there], refuses=False)

    @contextmanager
    def alarm(self, resource: str = "memory") -> Iterator[None]:
        """Raise the alarm of memory or disk for the block: publishers wait, and are told (connection.blocked)."""
        self.set_alarm(resource, True)
        try:
            yield
        finally:
            if self._process.running:
                self.set_alarm(resource, False)

    def set_alarm(self, resource: str, raised: bool) -> None:
        """The same without a block; the end of the test clears it."""
        if resource not in ("memory", "disk"):
            raise WarrenError(f"there are the alarms memory and disk, not {resource}")
        self._process.ask("set_alarm", resource=resource, raised=raised)
        (self._alarms.add if raised else self._alarms.discard)(resource)

    def kill(self) -> None:
        """Kill the broker's process, as kill -9 does.  Connections are refused until `restart`."""
        self._process.kill()
        self._alarms.clear()

    def restart(self) -> None:
        """Start it again, killed before or not, at the same addresses: what was on disk is there."""
        self.kill()
        self._process.start()
        self._ask("open_vhost")

    def link(self, protocol: str = "amqp") -> Link:
        """A link to the broker that can be cut and go silent (link.py): `with warren_broker.link() as link:`."""
        link = Link(self.address(protocol), self._url)
        self._links.append(link)
        return link

    # Inside

    def end(self) -> None:
        """The test is over: faults end, and the virtual host goes with all that is in it."""
        for link in self._links:
            link.close()
        if not self._process.running:
            self._process.start()
        for resource in list(self._alarms):
            self.set_alarm(resource, False)
        self._ask("delete_vhost")

    def _ask(self, do: str, **given: object) -> Any:
        return self._process.ask(do, vhost=self.vhost, **given)

    def _url(self, host: str, port: int) -> str:
        return f"amqp://{quote(self.user)}:{quote(self.password)}@{host}:{port}/{quote(self.vhost, safe='')}"

    def _has(self, queue: str, what: str, count: int) -> bool:
        return any(each.name == queue and getattr(each, what) == count for each in self.queues())

    def _named(self, connection: ConnectionState | str) -> str:
        if isinstance(connection, ConnectionState):
            return connection.name
        found = self.connections()
        named = [each.name for each in found if connection in (each.name, each.client_name)]
        if len(named) != 1:
            there = _listed(each.client_name or each.name for each in found)
            raise WarrenError(f"{len(named)} connections are called '{connection}', but there has to be one: {there}")
        return named[0]

    def _state(self) -> str:
        queues = [
            f"\n  queue '{each.name}': {each.ready} ready, {each.unacknowledged} unacknowledged, "
            f"{each.consumers} consumers"
            for each in self.queues()
        ]
        return "".join(queues) or " no queues"


def _until(look: Callable[[], Found], enough: Callable[[Found], bool], timeout: float) -> Found:
    """What `look` gives once it is enough, or in the end."""
    give_up_at = time.monotonic() + timeout
    while not enough(found := look()) and time.monotonic() < give_up_at:
        time.sleep(LOOK_S)
    return found


def _listed(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"


def _told(found: list[Published]) -> str:
    lines = [f"\n  to '{each.exchange}' with {_listed(each.routing_keys)}: {each.body[:60]!r}" for each in found]
    return "".join(lines[-MESSAGES_SHOWN:]) or " nothing"
