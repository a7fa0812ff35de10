"""One run of a broker: from opening its stores to closing them in good order.

A run is a nursery with hub, commit loop, timers and resource watch; `stop_app` and `start_app` end and begin one.

Longer than 400 lines because whatever a run has begins and ends here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from warren.adapters.amqp091.settings import Amqp091Settings
from warren.core.access.permissions import Permission
from warren.core.access.users import Users
from warren.core.broker import Broker
from warren.core.clients.limits import BrokerLimits
from warren.core.errors import BrokerError, StorageError
from warren.core.routing.vhost_metadata import check_queue_type
from warren.core.settings import BrokerSettings
from warren.core.storage.recovery import finish_chores, note_clean_stop, recover
from warren.gateway.authentication.settings.chain import AuthenticationSettings
from warren.gateway.cluster.settings import ClusterSettings
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.options import components_of, later_listings, options_of
from warren.gateway.configuration.plugins import PluginSettings, load_plugin, own_listeners
from warren.gateway.loading.late import Late
from warren.gateway.network.accepting import Accepting
from warren.gateway.network.addresses import Listener
from warren.gateway.network.clock import Clock
from warren.gateway.network.hub import Hub
from warren.gateway.network.pipeline import Pipelines
from warren.gateway.network.settings import NetworkSettings
from warren.gateway.network.stall_watch import StallWatch
from warren.gateway.process.commit import commit_once, run_commits
from warren.gateway.process.errors import sole_error
from warren.gateway.process.limits import ResourceLimits
from warren.gateway.process.resources import watch_resources
from warren.gateway.process.settings import FirstStartSettings, ProcessSettings, ResourceSettings
from warren.gateway.process.slow_disk import SlowDisk
from warren.gateway.process.stores import MESSAGES_NAME, close_stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from warren.gateway.authentication.asking import AskedBackEnd
    from warren.gateway.client.clients import Clients
    from warren.gateway.cluster.node import ClusterNode
    from warren.gateway.control.target import CarryOut
    from warren.gateway.loading.loader import Loader
    from warren.gateway.plugin import Facts, Resources
    from warren.gateway.plugins.host import PluginHost

_log = logging.getLogger("warren.broker")


class BrokerRun:
    """A running broker: `broker`, `hub`, and in `accepting` where it listens.  `plugins` is None without any.

    descriptors_max: how many files this process may have open.  carry_out: words of `warren ctl`, for plugins.
    loader: imports what speaks protocols once the broker is ready; without it that is imported before.
    goodbye_s: how long clients may take to answer that they are being closed; None: as long as in goodbye.py.
    """

    def __init__(
        self,
        config: Config,
        listeners: Sequence[Listener],
        descriptors_max: int,
        carry_out: CarryOut,
        loader: Loader | None = None,
    ) -> None:
        self.config = config
        self._late = Late(loader, self._in_turn) if loader is not None else None
        self._carry_out = carry_out
        self._descriptors_max = descriptors_max
        self.goodbye_s: float | None = None
        self._listeners = list(listeners)
        self.accepting: Accepting
        self.limits = ResourceLimits(config.section(ResourceSettings))
        self._stop_wanted = trio.Event()
        self._reason = "shutdown"
        self._disk = SlowDisk(str(Path(config.section(ProcessSettings).data_directory or "") / MESSAGES_NAME))
        self.broker: Broker
        self.hub: Hub
        self._pipelines: Pipelines
        self._clients: Clients | None = None
        self.plugins: PluginHost | None = None
        self.cluster: ClusterNode | None = None

    @property
    def clients(self) -> Clients:
        """The clients within this process; nothing of them is imported before there is one."""
        if self._clients is None:
            from warren.gateway.client.clients import Clients

            self._clients = Clients(self.hub)
        return self._clients

    @property
    def certificates(self) -> Mapping[str, datetime]:
        """Until when each is valid, by its file."""
        return self._pipelines.certificates

    def reload_certificates(self, why: str) -> bool:
        """Load the files of TLS again, for connections to come; False where no listener uses it."""
        self.hub.note_time()
        return self._pipelines.reload_certificates(self.broker.now_ms, why)

    @property
    def settings_of_connections(self) -> Sequence[type[object]]:
        """The classes of settings that connections are made with."""
        return self._pipelines.settings

    def reconfigure(self, config: Config) -> None:
        """Make connections to come with the settings of this configuration.

        Raises ConfigError or StorageError when it can't be used, and then nothing has changed.
        """
        self.hub.note_time()
        pipelines = Pipelines(config, self._listeners, self.broker.now_ms, self._late)
        self.accepting.use(pipelines.accept)
        self._pipelines = pipelines

    def request_stop(self, reason: str = "shutdown") -> None:
        """End the run in good order; `run` returns when that is done."""
        self._reason = reason
        self._stop_wanted.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the stores, listen, and work until `request_stop`; to be shielded from cancellation.

        Raises StorageError when the data or an address can't be used, or the disk fails.
        """
        clock = Clock()
        self._pipelines = pipelines = Pipelines(self.config, self._listeners, clock(), self._late)
        try:
            if enabled := self.config.section(PluginSettings).plugins:
                self.plugins = _host_of(enabled)
            await self._run_with(clock, pipelines, task_status)
        finally:
            if self.plugins is not None:
                self.plugins.close()

    async def change_plugins(self, config: Config) -> None:
        """Enable and disable plugins as this configuration has them, whose classes are loaded; and their listeners.

        Raises StorageError where one can't come or go while the broker runs; those before it have.
        """
        if self.plugins is None:
            self.plugins = _host_of(())
            self._register(self.plugins)
        before, after = [each.name for each in self.plugins.plugins], config.section(PluginSettings).plugins
        for name in [each for each in before if each not in after][::-1]:
            self.accepting.remove([protocol for protocol, _, _ in own_listeners([name])])
            await self.plugins.remove(name)
        new = [each for each in after if each not in before]
        for name in new:
            await self.plugins.add(load_plugin(name), options_of(config))
        self.config = config
        protocols = {protocol for protocol, _, _ in own_listeners(new)}
        there = {listener.protocol for listener in self.accepting.listeners}
        wanted = config.section(NetworkSettings).listeners
        added = [each for each in wanted if each.protocol in protocols and each.protocol not in there]
        self._listeners = [*self.accepting.listeners, *added]
        self.reconfigure(config)
        self.accepting.add(added, self._pipelines.accept, self._descriptors_max)

    async def _run_with(self, clock: Clock, pipelines: Pipelines, task_status: trio.TaskStatus[None]) -> None:
        store, definitions = open_stores(self.config)
        try:
            settings = self.config.section(BrokerSettings)
            self.broker = Broker(
                store,
                definitions,
                Users(definitions, settings.loopback_users),
                now_ms=clock(),
                backlog_bytes_max=settings.backlog_bytes_max,
                continue_client_deaths=settings.continue_client_deaths,
                delivery_limit_counts=settings.delivery_limit_counts,
                consumer_timeout_ms=settings.consumer_timeout_ms,
                limits=self.config.section(BrokerLimits),
                default_queue_type=checked_queue_type(settings.default_queue_type),
                refused_login_delay_ms=settings.refused_login_delay_ms,
                refused_logins_max=settings.refused_logins_max,
                failed_logins_max=settings.failed_logins_max,
                track_auth_attempt_source=settings.track_auth_attempt_source,
                components=components_of(self.config, [listener.protocol for listener in self._listeners]),
            )
            if self.config.section(ClusterSettings).servers:
                from warren.gateway.cluster.starting import joined_to

                self.cluster = joined_to(self.config, self.broker)
            self.broker.strangers.per_address_max = settings.unauthenticated_connections_max
            for names, load in later_listings():
                self.broker.listings.register_later(names, load)
            first = self.config.section(FirstStartSettings)
            recover(
                self.broker,
                default_user=first.default_user,
                default_password=first.default_password,
                default_vhost=first.default_vhost,
                default_tags=first.default_user_tags,
                default_permissions=Permission(
                    first.default_permissions_configure,
                    first.default_permissions_write,
                    first.default_permissions_read,
                ),
                with_defaults=first.load_definitions is None and self.cluster is None,
            )
            if self.plugins is not None:
                self._register(self.plugins)
            if self.broker.begun_imports:
                from warren.core.administration.definitions_json import journal

                journal.finish(self.broker)
            if self.cluster is None:
                self._load_definitions()
            else:
                from warren.gateway.cluster.starting import share_definitions

                share_definitions(self.config, self.cluster, self._load_definitions)
            asked = self._load_back_ends(self.plugins)
            if self.plugins is not None:
                self.plugins.prepare()
            self.hub = Hub(self.broker, clock, unread_timeout_ms=self.config.section(NetworkSettings).unread_timeout_ms)
            self.accepting = Accepting(self.hub)
            self.hub.stall_watch = stall_watch = StallWatch(self.hub)
            stall_watch.start()
            try:
                self.accepting.bind(self._listeners, pipelines.accept, self._descriptors_max)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(run_commits, self.hub, self._disk)
                    nursery.start_soon(self.hub.run_timers)
                    nursery.start_soon(watch_resources, self.hub, self.config, self.limits, self._disk)
                    nursery.start_soon(self.hub.run_requested_turns)
                    nursery.start_soon(self.hub.run)
                    for back_end in asked:
                        await nursery.start(back_end.run, self.hub)
                    if self.cluster is not None:
                        await nursery.start(self.cluster.run, self.hub)
                    self.accepting.open()
                    task_status.started()
                    if self.plugins is not None:
                        self.plugins.start()
                    await self._stop_wanted.wait()
                    if self.plugins is not None:
                        await self.plugins.stop()
                    await self._say_goodbye()
                    if self.cluster is not None:
                        await self.cluster.stop()
                    nursery.cancel_scope.cancel()
                finish_chores(self.broker)
                if self.broker.commit_wanted:
                    await commit_once(self.hub, self._disk, is_last=True)
                note_clean_stop(self.broker)
            except BaseExceptionGroup as group:
                error = sole_error(group)
                if isinstance(error, StorageError):
                    _log.critical("%s; stopping", error)
                raise error from None
            finally:
                if self._late is not None:
                    self._late.end()
                self._close_clients("the broker has stopped")
                if self.plugins is not None:
                    await self.plugins.stop()
                stall_watch.stop()
                self.accepting.close()
                for link in list(self.hub.links):
                    link.drop()
                self.hub.close()
        except BaseException:
            close_stores(store, definitions, failed=True)
            raise
        close_stores(store, definitions, failed=False)

    def _in_turn(self, work: Callable[[], None]) -> None:
        self.hub.note_time()
        work()
        self.hub.settle()

    def _register(self, plugins: PluginHost) -> None:
        plugins.register(
            self.broker,
            options_of(self.config),
            lambda: self.clients,
            self._facts,
            lambda: self.hub.request_turn(),
            lambda: self.hub.kept(),
            self.resources,
            self._carry_out,
        )

    def _facts(self) -> Facts:
        from warren.gateway.configuration.load import describe
        from warren.gateway.plugin import Facts
        from warren.gateway.version import WARREN_VERSION

        process = self.config.section(ProcessSettings)
        directory = None if process.in_memory else process.data_directory
        return Facts(
            WARREN_VERSION,
            self.config.section(Amqp091Settings).cluster_name,
            directory,
            self.accepting.listening,
            self.broker.started_at_ms,
            {file: int(until.timestamp() * 1000) for file, until in self.certificates.items()},
            partial(describe, self.config),
            self.accepting.suspended,
        )

    def resources(self) -> Resources:
        """What of what may run out is used, as it is now."""
        from warren.gateway import memory
        from warren.gateway.plugin import Resources
        from warren.gateway.process.resources import free_bytes, open_descriptors

        process = self.config.section(ProcessSettings)
        directory = None if process.in_memory else process.data_directory
        return Resources(
            memory_used=memory.resident_bytes(),
            memory_limit=self.limits.memory_limit_bytes,
            disk_free=None if directory is None else free_bytes(directory),
            disk_free_limit=None if directory is None else self.limits.disk_free_limit_bytes,
            descriptors_used=open_descriptors(),
            descriptors_max=self._descriptors_max,
        )

    def _load_definitions(self) -> None:
        """Import what the configuration names; ConfigError when it can't be, which is no crash for the next start."""
        first = self.config.section(FirstStartSettings)
        if first.load_definitions is None:
            return
        from warren.gateway.process.definitions_file import load_definitions

        try:
            load_definitions(
                self.broker,
                first.load_definitions,
                skip_if_unchanged=first.definitions_skip_if_unchanged,
            )
        except ConfigError:
            note_clean_stop(self.broker)
            raise

    def _load_back_ends(self, plugins: PluginHost | None) -> list[AskedBackEnd]:
        """Who is asked when somebody logs in; nothing of it is imported where that is the broker's own users alone."""
        if self.config.section(AuthenticationSettings).is_internal_alone:
            return []
        from warren.gateway.authentication.loading import load_chain

        return load_chain(self.broker.users, options_of(self.config), {} if plugins is None else plugins.back_ends())

    def _close_clients(self, reason: str) -> None:
        if self._clients is not None:
            self._clients.close(reason)

    async def _say_goodbye(self) -> None:
        """Stop accepting, tell the clients (320), and wait a little for their answers."""
        from warren.gateway.process.goodbye import GOODBYE_S, say_goodbye

        self.accepting.close()
        reason = f"broker forced connection closure with reason '{self._reason}'"
        self._close_clients(reason)
        await say_goodbye(self.hub, reason, GOODBYE_S if self.goodbye_s is None else self.goodbye_s)


def _host_of(names: Sequence[str]) -> PluginHost:
    """Nothing of it is imported without plugins."""
    from warren.gateway.plugins.host import PluginHost

    return PluginHost(names)


def checked_queue_type(name: str | None) -> str | None:
    try:
        return None if name is None else check_queue_type(name)
    except BrokerError as error:
        raise ConfigError(f"default_queue_type: {error.text}") from None
