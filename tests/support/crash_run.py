"""A crash test: rounds of load, SIGKILL, restart on the same data, and a look at what is there.

One loop drives all clients of a round, so what the history is told is in the order in which it happened.  The broker
is another process and is killed wherever it happens to be: after a random number of confirms, or after a random time.
A few rounds end with SIGTERM instead, since a start after a clean stop believes more of what it finds; and before a
few restarts a start is killed at a random moment, as a broker that crashes may do it twice.

Most rounds run with small segments (`crash_serve`), so that segments begin, die and are rewritten all the time.  Some
have a disk that takes long: then a kill takes much with it that consumers had already.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support import child, crash_roles
from tests.support import crash_link as link
from tests.support.amqp_wire import Address
from tests.support.crash_amqp10 import Amqp10Consumer, Amqp10Link, Amqp10Publisher
from tests.support.crash_definitions import Definitions, binding, exchange, queue
from tests.support.crash_history import History
from tests.support.crash_link import CrashLink
from tests.support.crash_reader import Reader, read_definitions
from tests.support.crash_roles import Consumer, Declarer, Mover, Numbers, Publisher, Role
from tests.support.crash_serve import DISK_S, DISK_TAKES
from tests.support.warren_process import PYTHON_PATH, READY_TIMEOUT_S, REPOSITORY, STOP_GRACE_S

PUBLISHERS = 4
MOVERS = 6

SEGMENT_BYTES = (1 << 20, 4 << 20, 64 << 20)
"""Sizes of segments, one of which each start draws; the last is the broker's own."""

LOAD_S_MAX = 1.5
"""Length of a load that is ended by time; and by confirms, as far as the machine gets that far in twice the time."""

CONFIRMS_MAX = 5000

CLEAN_STOP_SHARE = 0.1
KILLED_START_SHARE = 0.2
KILLED_START_S_MAX = 0.6
"""From before Python has started to after connections are accepted."""


@dataclass
class Counts:
    """What a crash test went through."""

    kills: int = 0
    killed_starts: int = 0
    clean_stops: int = 0
    confirmed: int = 0
    flushed_acknowledgements: int = 0
    found: int = 0
    definitions: int = 0
    amqp10_published: int = 0
    amqp10_accepted: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills under load, {self.killed_starts} during a start, {self.clean_stops} clean stops; "
            f"{self.confirmed} confirms, {self.flushed_acknowledgements} acknowledgements known to be flushed; "
            f"over AMQP 1.0 {self.amqp10_published} accepted by the broker, {self.amqp10_accepted} by a consumer; "
            f"{self.found} messages and {self.definitions} definitions found after restarts"
        )


class CrashError(AssertionError):
    """The promise was broken; the text says how, and how to repeat it."""


class CrashRun:
    """See the head of this file.  Everything is below `directory`; `seed` decides all that is random here."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.counts = Counts()
        self._directory = directory
        self._data_directory = directory / "data"
        self._log = directory / "warren.log"
        self._seed = seed
        self._chance = random.Random(seed)
        self._history = History()
        self._definitions = Definitions()
        self._numbers = Numbers()
        self._round = 0

    def run(self, rounds: int) -> None:
        """That many rounds, and a last look.  Raises CrashError."""
        while self.counts.kills < rounds:
            self._one_round(is_last=False)
        self._one_round(is_last=True)

    def _one_round(self, *, is_last: bool) -> None:
        self._round += 1
        if self._round > 1 and self._chance.random() < KILLED_START_SHARE:
            self._kill_a_start()
        process = self._start()
        try:
            address = self._wait_until_ready(process)
            queues = self._look(address)
            if is_last:
                code = child.stop(process, STOP_GRACE_S)
                self._expect([f"the last stop ended with {code}"] if code else [])
            elif self._chance.random() < CLEAN_STOP_SHARE:
                self._load(process, address, queues, self._terminate)
            else:
                self._load(process, address, queues, self._kill)
        finally:
            child.stop(process, grace_s=0)
        self._check_log()
        self.counts.confirmed = self._history.confirmed_count
        self.counts.flushed_acknowledgements = self._history.flushed_count

    # Starting

    def _start(self) -> child.Child:
        (self._directory / "ready.json").unlink(missing_ok=True)
        segment_bytes = str(self._chance.choice(SEGMENT_BYTES))
        disk_s = str(self._chance.choice(DISK_S))
        command = [sys.executable, "-m", "tests.support.crash_serve", DISK_TAKES, disk_s, segment_bytes, "serve"]
        command += ["--data-dir", str(self._data_directory), "--listen-only", "amqp=127.0.0.1:0"]
        command += ["--ready-file", str(self._directory / "ready.json"), "--set", "backlog_bytes_max=1MiB"]
        return child.start(command, self._log, {**os.environ, "PYTHONPATH": PYTHON_PATH}, REPOSITORY)

    def _wait_until_ready(self, process: child.Child) -> Address:
        ready_file = self._directory / "ready.json"
        child.wait_until(ready_file.exists, process, self._log, READY_TIMEOUT_S, "starting Warren")
        host, port = json.loads(ready_file.read_text())["amqp"]
        return str(host), int(port)

    def _kill_a_start(self) -> None:
        process = self._start()
        try:
            process.wait(self._chance.uniform(0, KILLED_START_S_MAX))
        except subprocess.TimeoutExpired:
            self.counts.killed_starts += 1
        finally:
            child.stop(process, grace_s=0)

    # Looking

    def _look(self, address: Address) -> list[str]:
        """Check what is there, and settle a part of it; the names of all queues."""
        there = read_definitions(self._data_directory)
        self._expect(self._definitions.check(there))
        self._definitions.adopt(there)
        queues = [name for kind, name in there if kind == "queue"]
        reader = Reader(address, f"reader@{self._round}", queues)
        try:
            self._expect(self._history.check(reader.found))
            self._history.adopt(reader.found)
            self.counts.found += sum(map(len, reader.found.values()))
            self.counts.definitions += len(there)
            reader.settle(self._history, self._choose(reader))
        finally:
            reader.abandon()
        return queues

    def _choose(self, reader: Reader) -> list[tuple[str, str]]:
        """Which messages are acknowledged, so that no queue grows from round to round."""
        chosen = []
        for name, messages in reader.found.items():
            share = self._chance.choice([1.0, 1.0, 0.5, 0.0])
            chosen += [(name, each.message_id) for each in messages if self._chance.random() < share]
        return chosen

    def _expect(self, problems: list[str]) -> None:
        """Raise CrashError if there are any problems."""
        if not problems:
            return
        shown = "\n".join(problems[:20])
        raise CrashError(
            f"after round {self._round} with --crash-seed {self._seed}: {len(problems)} problems\n{shown}\n"
            f"{self.counts}\ndata and log are in {self._directory}"
        )

    def _check_log(self) -> None:
        """A crash is nothing that the broker should take for damage, or for a bug."""
        lines = self._log.read_text(errors="replace").splitlines()
        bad = [line for line in lines if "Traceback" in line or "[error]" in line or "[critical]" in line]
        self._expect(bad)

    # Load

    def _load(
        self, process: child.Child, address: Address, queues: list[str], end: Callable[[child.Child], None]
    ) -> None:
        self._declare_topology(address)
        roles = self._roles(address, queues)
        try:
            self._drive(roles, self._is_over())
            end(process)
            for role in roles:
                for event in role.link.drain():
                    role.handle(event)
                role.link.close()
            process.wait(STOP_GRACE_S)
            self._count(roles)
        except child.ChildError as error:
            raise CrashError(f"round {self._round}, --crash-seed {self._seed}: {error}") from error
        finally:
            for role in roles:
                role.link.close()

    def _count(self, roles: list[Role]) -> None:
        for role in roles:
            if isinstance(role, Amqp10Publisher):
                self.counts.amqp10_published += role.accepted
            elif isinstance(role, Amqp10Consumer):
                self.counts.amqp10_accepted += role.accepted

    def _kill(self, process: child.Child) -> None:
        os.kill(process.pid, signal.SIGKILL)
        self.counts.kills += 1

    def _terminate(self, process: child.Child) -> None:
        os.kill(process.pid, signal.SIGTERM)
        self.counts.clean_stops += 1

    def _is_over(self) -> Callable[[], bool]:
        """When to end this round's load."""
        by_confirms = self._chance.random() < 0.5
        confirms = self._history.confirmed_count + self._chance.randint(1, CONFIRMS_MAX)
        ends_at = time.monotonic() + (2 * LOAD_S_MAX if by_confirms else self._chance.uniform(0, LOAD_S_MAX))

        def is_over() -> bool:
            if by_confirms and self._history.confirmed_count >= confirms:
                return True
            return time.monotonic() >= ends_at

        return is_over

    def _drive(self, roles: list[Role], is_over: Callable[[], bool]) -> None:
        by_socket = {role.link.socket: role for role in roles}
        while not is_over():
            for role in roles:
                role.pump()
                role.link.write()
            writable = [role.link.socket for role in roles if role.link.has_unsent]
            ready = select.select(list(by_socket), writable, [], 0.02)[0]
            for socket in ready:
                role = by_socket[socket]
                for event in role.link.read():
                    role.handle(event)
                self._expect([f"{role.link.name} lost its connection"] if role.link.ended else [])

    def _roles(self, address: Address, queues: list[str]) -> list[Role]:
        def connect(name: str) -> CrashLink:
            return CrashLink(address, f"{name}@{self._round}")

        common = self._history, self._chance, self._numbers
        roles: list[Role] = [Publisher(connect(f"publisher{n}"), *common) for n in range(PUBLISHERS)]
        roles += [Consumer(connect(f"consumer-{name}"), *common, name) for name in crash_roles.FANNED]
        roles += [Mover(connect(f"mover{n}"), *common) for n in range(MOVERS)]
        for index, (target, names) in enumerate(crash_roles.TARGETS):
            peer = Amqp10Link(address, f"amqp10-publisher{index}@{self._round}")
            roles.append(Amqp10Publisher(peer, *common, target, names))
        consumer = Amqp10Link(address, f"amqp10-consumer@{self._round}")
        roles.append(Amqp10Consumer(consumer, *common, crash_roles.FANNED[0]))
        roles.append(Declarer(connect("declarer"), *common, self._definitions, queues))
        return roles

    def _declare_topology(self, address: Address) -> None:
        """The lasting queues and the fanout exchange, in the first round that gets this far, and for ever."""
        connection = CrashLink(address, f"topology@{self._round}")
        answers: list[str] = []
        connection.send(link.declare_exchange(crash_roles.FANOUT, "fanout"))
        wanted = [exchange(crash_roles.FANOUT)]
        for name in crash_roles.QUEUES:
            connection.send(link.declare_queue(name))
            wanted.append(queue(name))
        for name in crash_roles.FANNED:
            connection.send(link.bind_queue(name, crash_roles.FANOUT, ""))
            wanted.append(binding(crash_roles.FANOUT, name, ""))
        connection.wait(lambda event: answers.append(event.name), lambda: len(answers) == len(wanted), "declaring")
        for definition in wanted:
            self._definitions.made(definition)
        connection.close()
