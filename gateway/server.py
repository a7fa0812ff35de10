"""`warren serve`: one process that holds a data directory, runs a broker in it, and answers the control socket.

The broker may be stopped and started (`stop_app`, `start_app`) and wiped (`reset`) while the process goes on; a
listener that was given port 0 keeps the port it got.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from warren.core.broker import Broker
from warren.core.clients.transport import is_loopback
from warren.core.errors import StorageError
from warren.core.storage.disk.stream_files import NAME as STREAMS_NAME
from warren.gateway.authentication.settings.chain import AuthenticationSettings
from warren.gateway.cluster.names import DIRECTORY as SHARDS_NAME
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.enabled_plugins import changed, changes_to, place_of, with_changes, write_changes
from warren.gateway.configuration.plugins import PluginSettings, load_plugin
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.server import serve_control
from warren.gateway.control.target import Control, Permitted
from warren.gateway.loading.loader import Loader
from warren.gateway.loading.rest import end_starting
from warren.gateway.network.addresses import Listener, format_address
from warren.gateway.network.settings import NetworkSettings
from warren.gateway.process.data_directory import DataDirectory
from warren.gateway.process.ready_file import remove_ready_file, write_ready_file
from warren.gateway.process.resources import descriptor_limit, raise_descriptor_limit
from warren.gateway.process.runner import BrokerRun
from warren.gateway.process.service_manager import ServiceManager
from warren.gateway.process.settings import ProcessSettings
from warren.gateway.process.stop_signals import HANGUPS, STOP_SIGNALS, terminal_is_gone
from warren.gateway.process.stores import DEFINITIONS_NAME, MESSAGES_NAME
from warren.gateway.protocols import what_on
from warren.gateway.version import described

if TYPE_CHECKING:
    from datetime import datetime

    from warren.gateway.client.clients import Clients
    from warren.gateway.control.word import Word
    from warren.gateway.facts import Resources
    from warren.gateway.network.accepting import Accepting
    from warren.gateway.plugins.host import PluginHost
    from warren.gateway.process.limits import ResourceLimits

_log = logging.getLogger("warren.broker")


class Server:
    """The process's one broker and its control; made by `open_server`.

    read_config: reads the configuration again; None where it comes from a program.  configured: what was read, where
    plugins have been enabled and disabled since.  loader: imports what no start has to wait for.
    """

    def __init__(
        self,
        config: Config,
        nursery: trio.Nursery,
        directory: DataDirectory | None,
        read_config: Callable[[], Config] | None = None,
        configured: Config | None = None,
        loader: Loader | None = None,
    ) -> None:
        self._loader = loader
        self._configured = config if configured is None else configured
        self.config = config
        self._read_config = read_config
        self._changing_plugins = trio.Lock()
        self._nursery = nursery
        self._directory = directory
        self._process = config.section(ProcessSettings)
        self._listeners: Sequence[Listener] = config.section(NetworkSettings).listeners
        self._run: BrokerRun | None = None
        self._run_ended = trio.Event()
        self._stop_wanted = trio.Event()
        self._stuck: list[str] = []
        self.control = Control(self, config, time.monotonic(), self.plugin_words)

    # What commands use

    @property
    def running(self) -> bool:
        """False between stop_app and start_app."""
        return self._run is not None

    @property
    def broker(self) -> Broker:
        """The broker; StorageError between stop_app and start_app."""
        if self._run is None:
            raise StorageError("the broker is stopped; start it with start_app")
        return self._run.broker

    @property
    def clients(self) -> Clients:
        """The clients within this process; StorageError between stop_app and start_app."""
        if self._run is None:
            raise StorageError("the broker is stopped; start it with start_app")
        return self._run.clients

    @property
    def listening(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """The addresses that connections are accepted on, by protocol."""
        return self._run.accepting.listening if self._run is not None else {}

    @property
    def accepting(self) -> Accepting:
        """The listening sockets; StorageError between stop_app and start_app."""
        if self._run is None:
            raise StorageError("the broker is stopped; start it with start_app")
        return self._run.accepting

    @property
    def certificates(self) -> Mapping[str, datetime]:
        """Until when each certificate is valid, by its file."""
        return self._run.certificates if self._run is not None else {}

    @property
    def limits(self) -> ResourceLimits:
        """What memory and disk may come to; StorageError between stop_app and start_app."""
        if self._run is None:
            raise StorageError("the broker is stopped; start it with start_app")
        return self._run.limits

    @property
    def now_ms(self) -> int:
        """The broker's time, which an idle broker doesn't note; StorageError between stop_app and start_app."""
        now_ms = self.broker.now_ms
        return now_ms if self._run is None else max(now_ms, self._run.hub.clock())

    def resources(self) -> Resources:
        """What of what may run out is used; StorageError between stop_app and start_app."""
        if self._run is None:
            raise StorageError("the broker is stopped; start it with start_app")
        return self._run.resources()

    @property
    def plugins(self) -> PluginHost | None:
        """The host of the plugins; None without any, and between stop_app and start_app."""
        return self._run.plugins if self._run is not None else None

    @property
    def stuck_plugins(self) -> Sequence[str]:
        """Plugins of runs before that didn't end when they were stopped."""
        return self._stuck

    def plugin_words(self) -> Sequence[Word]:
        """The words of `warren ctl` that plugins bring."""
        return self.plugins.words() if self.plugins is not None else ()

    async def start_app(self) -> None:
        """Open the data and listen; nothing happens when that is so already."""
        if self._run is not None:
            return
        run = BrokerRun(self.config, self._listeners, descriptor_limit(), self._carry_out, self._loader)
        self._run_ended = trio.Event()
        await self._nursery.start(self._run_to_end, run)
        self._run = run
        self._listeners = run.accepting.listeners
        if self._directory is not None:
            self._directory.record(run.accepting.listening)
        for name, found in run.accepting.listening.items():
            for address in found:
                _log.info("listening for %s", what_on(name, format_address(*address)))
        self._warn_where_nobody_may_come(run)

    def _warn_where_nobody_may_come(self, run: BrokerRun) -> None:
        found = run.accepting.listening.values()
        if all(is_loopback(host) for addresses in found for host, _ in addresses):
            return
        from warren.gateway.process.afar import addresses_from_afar, warning

        if self.config.section(AuthenticationSettings).is_internal_alone:
            users = run.broker.users
            afar = addresses_from_afar(run.accepting.listening)
            text = warning(afar, [user.name for user in users], users.loopback_users, self._process.data_directory)
            if text is not None:
                _log.warning("%s", text)

    async def stop_app(self) -> None:
        """Close listeners and connections and the data; the process goes on."""
        if self._run is not None:
            self._run.request_stop()
            await self._run_ended.wait()

    async def set_plugins(self, names: Sequence[str]) -> None:
        """Enable these plugins and disable all others, now and at the starts to come.

        Raises StorageError for one that can't come or go while the broker runs, PluginUnusableError.
        """
        async with self._changing_plugins:
            if self._run is None:
                raise StorageError("the broker is stopped; start it with start_app")
            for name in names:
                await trio.to_thread.run_sync(load_plugin, name)
            changes = changes_to(self._configured, names)
            after = changed(self.config.replace(plugins=self._configured.named_plugins), changes)
            self._check_plugins(self._run.broker, after)
            await self._run.change_plugins(after)
            self.config = self.control.config = after
            self._listeners = self._run.accepting.listeners
            if self._directory is not None:
                self._directory.record(self._run.accepting.listening)
            place = place_of(after)
            if place is not None:
                await trio.to_thread.run_sync(write_changes, place, changes)

    def _check_plugins(self, broker: Broker, config: Config) -> None:
        """Before anything is done: StorageError where one can't come or go now."""
        from warren.gateway.plugins.changing import check_disabling, check_enabling

        before, after = self.config.section(PluginSettings).plugins, config.section(PluginSettings).plugins
        for name in before:
            if name not in after:
                check_disabling(load_plugin(name), broker)
        for name in after:
            if name not in before:
                check_enabling(load_plugin(name), broker)

    async def reset(self) -> None:
        """Wipe messages, definitions and users; only while stopped (StorageError otherwise)."""
        if self._run is not None:
            raise StorageError("reset needs the broker to be stopped: stop_app first")
        directory = self._process.data_directory
        if directory is not None and not self._process.in_memory:
            await trio.to_thread.run_sync(_wipe, directory)

    def request_stop(self) -> None:
        """Let the process end in good order."""
        self._stop_wanted.set()

    async def reload(self) -> None:
        """SIGHUP: read again what files say, and let it count as far as it can (gateway.process.reloading)."""
        from warren.gateway.process.reloading import reload

        self.config = await reload(self._run, self.config, self._reread if self._read_config is not None else None)
        self.control.config = self.config
        self.changed()

    def _reread(self) -> Config:
        assert self._read_config is not None
        return with_changes(self._read_config())

    def changed(self) -> None:
        """Something was changed from outside a client's batch."""
        if self._run is not None:
            self._run.hub.settle()

    async def kept(self) -> None:
        """Return when all that was changed until now is there after a power failure."""
        if self._run is not None:
            await self._run.hub.kept()

    # The process's side

    async def wait_for_stop(self) -> None:
        """Return when somebody asked for the end."""
        await self._stop_wanted.wait()

    async def _carry_out(self, request: bytes, permitted: Permitted) -> Iterator[bytes]:
        from warren.gateway.control.remote import answered_remotely

        return await answered_remotely(self.control, request, permitted)

    async def _run_to_end(self, run: BrokerRun, *, task_status: trio.TaskStatus[None]) -> None:
        # Cancelling the process's nursery must not take the hub away before the clients have been told; whoever cancels
        # calls `stop_app`.
        try:
            with trio.CancelScope(shield=True):
                await run.run(task_status=task_status)
        finally:
            self._stuck += run.plugins.stuck if run.plugins is not None else []
            self._run = None
            self._run_ended.set()


@asynccontextmanager
async def open_server(
    config: Config, read_config: Callable[[], Config] | None = None, loader: Loader | None = None
) -> AsyncIterator[Server]:
    """Hold the data directory and run a broker in it, to the end of the block, which stops it in good order.

    loader: imports what no start has to wait for; somebody lets it run.  None imports that before connections come.
    """
    async with AsyncExitStack() as stack:
        directory = None
        path = config.section(ProcessSettings).data_directory
        if path is not None:
            directory = stack.enter_context(DataDirectory(path))
        configured, config = config, with_changes(config)
        nursery = await stack.enter_async_context(trio.open_nursery())
        server = Server(config, nursery, directory, read_config, configured, loader)
        try:
            await server.start_app()
            if directory is not None:
                await nursery.start(serve_control, server.control, directory.path)
            yield server
        finally:
            with trio.CancelScope(shield=True):
                await server.stop_app()
            nursery.cancel_scope.cancel()


async def serve(config: Config, asked: Sequence[int] = (), read_config: Callable[[], Config] | None = None) -> None:
    """Run a broker until SIGTERM, Ctrl-C, the command `stop`, or the end of the terminal that it was started in.

    asked: signals that have come already, or will yet.  read_config: reads the configuration again, for SIGHUP.
    """
    raise_descriptor_limit()
    manager = ServiceManager.of_process()
    process = config.section(ProcessSettings)
    if process.ready_file is not None:
        remove_ready_file(process.ready_file)
    loader = Loader()
    with trio.open_signal_receiver(*STOP_SIGNALS, *HANGUPS) as signals:
        async with open_server(config, read_config, loader) as server, trio.open_nursery() as nursery:
            if process.ready_file is not None:
                write_ready_file(process.ready_file, server.listening)
            # Behind the file, so that whoever has read this finds it.
            _log.info("%s is ready: %s; Ctrl-C stops it", described(), _where_and_how(process))
            nursery.start_soon(loader.run)
            nursery.start_soon(end_starting, loader, server.broker, config)
            nursery.start_soon(_stop_on_signal, server, signals, manager)
            manager.ready(described())
            nursery.start_soon(manager.watch)
            if asked:
                _log.info("got %s while starting", signal.Signals(asked[0]).name)
                server.request_stop()
            await server.wait_for_stop()
            manager.stopping()
            _log.info("stopping: closing connections and flushing what is pending")
            nursery.cancel_scope.cancel()
    if process.ready_file is not None:
        remove_ready_file(process.ready_file)
    _log.info("stopped")
    if server.stuck_plugins:
        # Trio would wait for their tasks for ever; everything that is to be kept is on disk.
        _log.critical("ending the process though these plugins don't end: %s", ", ".join(server.stuck_plugins))
        logging.shutdown()
        os._exit(codes.SOFTWARE)


async def _stop_on_signal(server: Server, signals: AsyncIterator[int], manager: ServiceManager) -> None:
    async for number in signals:
        _log.info("got %s", signal.Signals(number).name)
        if number in HANGUPS and not terminal_is_gone():
            manager.reloading()
            await server.reload()
            manager.ready(described())
        else:
            server.request_stop()


def _where_and_how(process: ProcessSettings) -> str:
    """Where the data is, and what to type for `warren ctl` to find this broker, for the log."""
    where = "in memory only" if process.in_memory else f"data in {process.data_directory}"
    if process.data_directory is None:
        return f"{where}, so there is no control socket for `warren ctl` (--data-dir DIR beside --in-memory makes one)"
    directory = str(process.data_directory)
    if not directory.replace("/", "").replace("-", "").replace(".", "").isalnum():
        from shlex import quote  # no start has to wait for it where nothing has to be quoted

        directory = quote(directory)
    return f"{where}, control with `warren ctl --data-dir {directory}`"


def _wipe(directory: Path) -> None:
    """Remove what a broker keeps, leaving lock and control socket alone."""
    try:
        for name in (MESSAGES_NAME, STREAMS_NAME, SHARDS_NAME):
            if (directory / name).exists():
                shutil.rmtree(directory / name)
        for suffix in ("", "-wal", "-shm", "-journal"):
            (directory / f"{DEFINITIONS_NAME}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{directory} can't be wiped: {error}") from None
