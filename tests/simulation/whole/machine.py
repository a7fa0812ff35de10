"""A whole broker on a simulated disk: all protocols behind one port, commits in their steps, crashes and restarts.

It is what gateway.process does with a broker, without Trio, sockets, threads or a clock: turns are ended, a commit is
begun, written and finished in calls of their own, so that anything can happen in between; a disk that is full has the
commit wait and publishers blocked; one that fails ends the broker (`DiskFailed`).
"""

from __future__ import annotations

import errno
import functools
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.simulation.whole.definitions import SimulatedDefinitions
from tests.simulation.whole.disk import SimulatedDisk
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp10.records import RecordForm
from warren.adapters.detection import Choices, detect
from warren.core.access.users import Users
from warren.core.broker import Broker
from warren.core.queues.backlog import Paging
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.recovery import finish_chores, note_clean_stop, recover
from warren.core.streams.form import use_form
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import accept_by_protocol, components_of
from warren.gateway.process.commit import ALARM_SOURCE
from warren.gateway.protocols import PROTOCOLS

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier
    from warren.core.component import ComponentFactory
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.commit import Commit

START_MS: Final = 1_700_000_000_000
TURNS_MAX: Final = 5_000
SEGMENT_BYTES_MAX: Final = 6_000
"""Small, so that a few dozen messages fill several segments."""

ALLOCATION_STEP: Final = 2_048
PAGING: Final = Paging(head_messages=3, page_messages=2)
PROTOCOL_NAMES: Final = ("amqp", "amqp10", "mqtt", "stomp")
STREAM: Final = "stream"
DETECTION_MS: Final = 3_600_000

use_form(RecordForm)


class DiskFailed(Exception):
    """A sync failed: the broker is at its end, and nothing unwritten was confirmed."""


class InternalError(AssertionError):
    """The broker logged an error that isn't about its disk."""


@functools.cache
def _accepts() -> tuple[AcceptCarrier, AcceptCarrier, dict[str, ComponentFactory]]:
    """What makes sessions, by the first bytes and of the stream protocol, and components; made once per process."""
    config = Config()
    names = [*PROTOCOL_NAMES, STREAM]
    by_protocol = accept_by_protocol(config, names)
    adapters = {name: PROTOCOLS.adapter(name) for name in PROTOCOL_NAMES}
    choices = Choices(adapters, {name: by_protocol[name] for name in PROTOCOL_NAMES}, None, DETECTION_MS)
    return detect(choices), by_protocol[STREAM], components_of(config, names)


class _ErrorsLogged(logging.Handler):
    """Errors that come with a traceback: something inside the broker went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[0] is not None:
            text = f"{record.getMessage()}\n{self._formatter.formatException(record.exc_info)}"
            self.found.append(text)


class Machine:
    """See the head of this file.  Entered like the disk, which is below `directory`.

    transports: of all connections that were ever made to the broker that runs.  full: a commit waits for room.
    on_begun, on_finished: called when a commit was begun, and when it was booked.
    """

    broker: Broker

    def __init__(
        self, directory: Path, chance: random.Random, on_begun: Callable[[], None], on_finished: Callable[[], None]
    ) -> None:
        self.disk = SimulatedDisk(directory, chance)
        self.definitions = SimulatedDefinitions()
        self.transports: list[SimulatedTransport] = []
        self.now_ms = START_MS
        self.full = False
        self._directory = directory
        self._chance = chance
        self._on_begun = on_begun
        self._on_finished = on_finished
        self._commit: Commit | None = None
        self._is_written = False
        self._next_port = 40_000
        self._errors = _ErrorsLogged()
        self._log = logging.getLogger("warren")

    def __enter__(self) -> Machine:
        self.disk.__enter__()
        self._log.addHandler(self._errors)
        self._propagates, self._log.propagate = self._log.propagate, False
        return self

    def __exit__(self, *_: object) -> None:
        self._log.propagate = self._propagates
        self._log.removeHandler(self._errors)
        self.disk.switch_off()
        if hasattr(self, "broker"):
            self.broker.store.close()
        self.disk.__exit__()

    def start(self) -> None:
        """A broker of what the disk has."""
        components = _accepts()[2]
        store = DiskEngine(self._directory, segment_bytes_max=SEGMENT_BYTES_MAX, allocation_step=ALLOCATION_STEP)
        self.broker = Broker(
            store,
            self.definitions,
            Users(self.definitions, frozenset({"guest"})),
            now_ms=self.now_ms,
            backlog_bytes_max=0,
            paging=PAGING,
            components=components,
        )
        recover(self.broker, default_user="guest", default_password="guest", default_vhost="/")
        self.transports.clear()
        self._commit = None
        self.full = False

    @property
    def vhost(self) -> VirtualHost:
        """The virtual host "/"."""
        return self.broker.vhosts["/"]

    def accept(self, *, is_stream: bool = False) -> SimulatedTransport:
        """A connection that has said nothing yet."""
        self._next_port += 1
        transport = SimulatedTransport("127.0.0.1", self._next_port)
        transport.unkept = self.broker.unkept
        by_first_bytes, stream, _ = _accepts()
        session, outbox = (stream if is_stream else by_first_bytes)(self.broker, transport)
        transport.start(session, outbox)
        self.transports.append(transport)
        return transport

    def check_log(self) -> None:
        """Raise InternalError for what was logged."""
        if self._errors.found:
            raise InternalError(self._errors.found[0])

    # Turns and commits

    def turn(self) -> bool:
        """End a turn; whether there is more to do."""
        return self.broker.end_turn()

    @property
    def is_committing(self) -> bool:
        """Whether a commit is under way."""
        return self._commit is not None

    def begin_commit(self) -> bool:
        """Begin one, if one is wanted and none is under way."""
        if self._commit is not None or not self.broker.commit_wanted:
            return False
        self._commit = self.broker.begin_commit()
        self._on_begun()
        self._is_written = False
        while self._commit.prepare_some():
            pass
        return True

    def write_commit(self) -> None:
        """Write the one under way; DiskFailed when the disk does."""
        commit = self._commit
        if commit is None or self._is_written:
            return
        if self.full:
            self.broker.extend_commit(commit)
        try:
            commit.write()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise DiskFailed from error
            self.full = True
            self.broker.keep_definitions(commit)
            self.broker.alarms.set("disk", True, source=ALARM_SOURCE)
            return
        self._is_written = True
        if self.full:
            self.full = False
            self.broker.alarms.set("disk", False, source=ALARM_SOURCE)

    def finish_commit(self) -> bool:
        """Book the one under way, if it is written."""
        commit = self._commit
        if commit is None or not self._is_written:
            return False
        self._commit = None
        self._on_finished()
        self.broker.finish_commit(commit)
        return True

    def commit(self) -> bool:
        """A whole commit, or the rest of one; whether one was finished."""
        self.begin_commit()
        self.write_commit()
        return self.finish_commit()

    def maintain(self, jobs_max: int = 100) -> None:
        """Some of the store's maintenance."""
        store = self.broker.store
        for _ in range(jobs_max):
            job = store.begin_maintenance()
            if job is None:
                return
            try:
                job.write()
            except OSError:
                pass
            store.finish_maintenance(job)

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now_ms += milliseconds
        self.broker.advance(self.now_ms)

    # Ends

    def crash(self, *, power: bool) -> None:
        """The process is gone, and with `power` what the disk had not synced."""
        self.disk.switch_off()
        self.broker.store.close()
        if power:
            self.disk.lose_power()
            self.definitions.lose_power(self._chance)
        else:
            self.disk.kill()
            self.definitions.reopen()
        self.disk.failing_syncs = 0

    def stop(self) -> None:
        """End in good order, as gateway.process.runner does; the disk has room."""
        for session in list(self.broker.sessions):
            session.force_close("broker forced connection closure with reason 'shutdown'")
        self.rest()
        for transport in self.transports:
            transport.lose()
        self.rest()
        finish_chores(self.broker)
        while self.commit():
            pass
        note_clean_stop(self.broker)
        self.definitions.sync()
        self.broker.store.close()

    def rest(self) -> None:
        """Turns and commits until nothing is left to do, or a full disk holds it up."""
        for _ in range(TURNS_MAX):
            if self.turn():
                continue
            if not self.commit():
                return
        raise AssertionError("the broker never comes to rest")
