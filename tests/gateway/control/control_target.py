"""A broker for the tests of the control socket: the real core and users behind a server without listeners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, cast

import trio

from warren.adapters.mqtt.sessions.world import MqttWorld
from warren.core.access.users import Users
from warren.core.administration.listing.channels import ChannelRow
from warren.core.administration.listing.column import Column
from warren.core.administration.listing.connections import ConnectionRow
from warren.core.broker import Broker
from warren.core.configuration.values import Watermark
from warren.core.errors import StorageError
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY
from warren.core.queues.ack_timeout import AckHolder
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.memory import MemoryEngine
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import listings_of_protocols
from warren.gateway.control.commands import run_command
from warren.gateway.control.server import serve_control
from warren.gateway.control.target import Answer, Control
from warren.gateway.control.word import Word
from warren.gateway.facts import Resources
from warren.gateway.network.accepting import Accepting
from warren.gateway.process.limits import ResourceLimits
from warren.gateway.process.settings import ResourceSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warren.core.clients.transport import Transport
    from warren.gateway.network.hub import Hub


class TargetRow(ConnectionRow):
    """What listings show of a TargetSession."""

    __slots__ = ("target",)

    def __init__(self, target: TargetSession) -> None:
        super().__init__(target.broker, target, cast("Transport", None), None, 0)
        self.target = target

    @Column
    def pid(self) -> str:
        if self.target.pid == "broken":
            raise LookupError("a bug in a session")
        return self.target.pid

    @Column
    def name(self) -> str:
        return self.target.name

    @Column
    def vhost(self) -> str:
        return self.target.vhost

    @Column
    def user(self) -> str:
        return "guest"

    @Column
    def peer_host(self) -> str:
        return "127.0.0.1"

    @Column
    def peer_port(self) -> int:
        return 4711


class TargetSession:
    """A connection as the broker knows it: its row, and how it was closed."""

    def __init__(self, broker: Broker, pid: str, name: str, vhost: str) -> None:
        self.broker = broker
        self.pid = pid
        self.name = name
        self.vhost = vhost
        self.closed_for: list[str] = []

    def connection_row(self) -> ConnectionRow:
        return TargetRow(self)

    def channel_rows(self) -> list[ChannelRow]:
        return []

    def ack_holders(self) -> list[AckHolder]:
        return []

    def force_close(self, reason: str) -> None:
        self.closed_for.append(reason)


def make_broker() -> Broker:
    """The real core in memory, with two virtual hosts and the user guest."""
    definitions = MemoryDefinitionStore()
    broker = Broker(MemoryEngine(), definitions, Users(definitions), now_ms=0, components={"mqtt": MqttWorld})
    for kind in listings_of_protocols():
        broker.listings.register(kind)
    for name in ("/", "other"):
        broker.add_vhost(name, {})
    broker.users.add_user("guest", "guest", ("administrator",))
    broker.end_turn()
    return broker


class TargetLimits(ResourceLimits):
    """Limits that nobody checks, so that nobody waits for it either."""

    async def set(self, *, memory: Watermark | None = None, disk_free_bytes: int | None = None) -> None:
        await trio.lowlevel.checkpoint()
        self.memory_high_watermark = memory or self.memory_high_watermark
        if disk_free_bytes is not None:
            self.disk_free_limit_bytes = disk_free_bytes


class TargetServer:
    """Does what commands ask, and remembers it."""

    def __init__(self) -> None:
        self.broker = make_broker()
        self.listening: dict[str, list[tuple[str, int]]] = {"amqp": [("127.0.0.1", 5672), ("::1", 5672)]}
        self.limits: ResourceLimits = TargetLimits(ResourceSettings())
        self.running = True
        self.accepting = Accepting(cast("Hub", None))
        self.certificates: dict[str, datetime] = {}
        self.changes = 0
        self.plugin_words: list[Word] = []
        self.stopped = trio.Event()

    @property
    def now_ms(self) -> int:
        return self.broker.now_ms

    def resources(self) -> Resources:
        return Resources(100, 1000, 10_000, 1000, 10, 65_536)

    async def stop_app(self) -> None:
        await trio.lowlevel.checkpoint()
        self.running = False
        self.listening = {}

    async def start_app(self) -> None:
        await trio.lowlevel.checkpoint()
        self.running = True

    async def set_plugins(self, names: Sequence[str]) -> None:
        raise StorageError("there are no plugins here")

    async def reset(self) -> None:
        await trio.lowlevel.checkpoint()
        self.broker = make_broker()

    def request_stop(self) -> None:
        self.stopped.set()

    async def kept(self) -> None:
        await trio.lowlevel.checkpoint()

    def changed(self) -> None:
        self.changes += 1
        while self.broker.end_turn():
            # A hub goes on by itself.
            pass

    def connect(self, pid: str, name: str = "", vhost: str = "/") -> TargetSession:
        """Add a connection."""
        session = TargetSession(self.broker, pid, name, vhost)
        self.broker.sessions[session] = None
        return session

    def fill_queue(self, name: str, message_count: int, arguments: Mapping[str, int] | None = None) -> None:
        """Make a queue in `/` that holds so many empty messages."""
        vhost = self.broker.vhosts["/"]
        queue = vhost.queues[name] = ClassicQueue(vhost, name, arguments=dict(arguments or {}))
        for _ in range(message_count):
            sequence = self.broker.next_sequence()
            queue.append(Message(sequence, Address("", "key"), EMPTY, b"", 0, 0, 0, 0))


@asynccontextmanager
async def control_target(directory: Path) -> AsyncIterator[TargetServer]:
    """A server that answers on the control socket of `directory`."""
    server = TargetServer()
    config = Config(data_directory=directory, default_pass="swordfish")
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, Control(server, config, monotonic(), lambda: server.plugin_words), directory)
        yield server
        nursery.cancel_scope.cancel()


class Asker:
    """Gives commands to a server as the control socket does."""

    def __init__(self) -> None:
        self.server = TargetServer()
        self.control = Control(self.server, Config(in_memory=True, default_pass="swordfish"), started_at_s=0.0)

    async def ask(self, command: str, *arguments: str, **options: object) -> Answer:
        """The answer, whatever it is; `content` among the options is what a word that reads a file is sent."""
        content = options.pop("content", None)
        request: dict[str, object] = {"command": command, "arguments": list(arguments), "options": options}
        return await run_command(self.control, request, cast("bytes | None", content))

    async def do(self, command: str, *arguments: str, **options: object) -> str:
        """The text of a command that succeeds."""
        answer = await self.ask(command, *arguments, **options)
        assert answer["ok"] is True, answer
        return str(answer["text"])

    async def rows(self, command: str, *arguments: str, **options: object) -> list[list[object]]:
        """The values of a table."""
        answer = await self.ask(command, *arguments, **options)
        assert answer["ok"] is True, answer
        assert all(list(row) == answer["columns"] for row in cast("list[dict[str, object]]", answer["rows"]))
        return [list(row.values()) for row in cast("list[dict[str, object]]", answer["rows"])]

    async def refused(self, command: str, *arguments: str, **options: object) -> tuple[int, str]:
        """(exit code, text) of a command that is refused."""
        answer = await self.ask(command, *arguments, **options)
        assert answer["ok"] is False, answer
        return cast("int", answer["exit_code"]), str(answer["error"])
