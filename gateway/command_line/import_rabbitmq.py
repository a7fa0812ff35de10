"""`warren import rabbitmq URL`: definitions of a running RabbitMQ are copied, and its queues emptied into those here.

    1. definitions    GET /api/definitions there, the word import_definitions here: all of them or nothing
    2. messages       a shovel for each queue there that holds some, a bounded number at a time; each ends, with its
                      parameter, when it has moved as many as the queue held
    3. once more      what publishers have brought meanwhile, until nothing is left or nothing moves any more

Shovels move a message only when it is safe here, and Warren goes on with them whatever becomes of this command: so
nothing is lost, and the command may be ended at any moment and given again.  What was under way then may come twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, cast
from urllib.parse import quote

from warren.core.frozen import frozen
from warren.gateway.command_line.ctl import where_of
from warren.gateway.command_line.ctl_options import Parsed
from warren.gateway.command_line.rabbitmq_counts import ready_counts
from warren.gateway.command_line.rabbitmq_source import RabbitmqSource, Waiting
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.api_client import Where, ask
from warren.gateway.control.client import CommandFailedError

PREFIX: Final = "import-rabbitmq-"
"""Of the shovels' names, by which they are found again."""

POLL_S: Final = 0.5
"""Between two looks at how far shovels are."""

ANSWER_TIMEOUT_S: Final = 300.0
"""For one answer: definitions may be many."""

STREAM: Final = "stream"
"""Messages of a stream can't be taken out of it."""

RECONNECT_S: Final = 2


@frozen
class Wanted:
    """What was typed; see commands.py."""

    source: str
    amqp: str | None = None
    to: str | None = None
    data_dir: str | None = None
    vhosts: tuple[str, ...] = ()
    with_messages: bool = True
    at_a_time: int = 16
    timeout_s: float = 60.0


@dataclass(slots=True)
class Importing:
    """One run.  say: prints a line.  wait: until the next look.  now_s: the time, for giving up."""

    wanted: Wanted
    say: Callable[[str], None] = print
    wait: Callable[[float], None] = time.sleep
    now_s: Callable[[], float] = time.monotonic
    _reasons: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Do all of it.  Raises CommandFailedError, after which it can be done again."""
        if self.wanted.at_a_time < 1:
            raise CommandFailedError("--at-a-time is 1 at least", codes.USAGE)
        options = {"data_dir": self.wanted.data_dir, "url": self.wanted.to}
        target = where_of(Parsed((), {name: value for name, value in options.items() if value is not None}))
        source = RabbitmqSource(self.wanted.source, ANSWER_TIMEOUT_S)
        definitions, left_out = source.definitions(self.wanted.vhosts)
        names = [each["name"] for each in definitions["vhosts"]]
        missing = set(self.wanted.vhosts) - set(names)
        if missing:
            raise CommandFailedError(f"there is no virtual host {', '.join(sorted(missing))} at the source", codes.DATA)
        if self.wanted.with_messages:
            self._check_shovels(target)
            ready_counts(source.uri(self.wanted.amqp, names[0]), ())
        self._import(target, definitions)
        if left_out:
            self.say(
                f"{left_out} parameter(s) of shovels and federation stay there: here and there at once, they would "
                "move messages twice; set them here when that RabbitMQ has stopped"
            )
        if self.wanted.with_messages:
            self._move(target, source, names)

    def _check_shovels(self, target: Where) -> None:
        rows = cast("list[Mapping[str, Any]]", ask(target, "list_plugins", ["name", "state"])["rows"])
        if not any(each["name"] == "shovel" and each["state"] == "running" for each in rows):
            raise CommandFailedError(
                'moving messages needs the plugin shovel: start the broker with plugins = ["shovel"] in its '
                "configuration (--set plugins=shovel), or give --no-messages",
                codes.UNAVAILABLE,
            )

    def _import(self, target: Where, definitions: Mapping[str, Any]) -> None:
        content = json.dumps(definitions, sort_keys=True).encode()
        answer = ask(target, "import_definitions", (), {"skip_if_unchanged": True}, ANSWER_TIMEOUT_S, content)
        for line in str(answer.get("text", "")).splitlines():
            self.say(line)

    # Messages

    def _move(self, target: Where, source: RabbitmqSource, vhosts: list[str]) -> None:
        moved: set[str] = set()
        told: set[tuple[str, str]] = set()
        quiet_since_s = self.now_s()
        before: object = None
        while True:
            due = [each for vhost in vhosts for each in self._due(source, vhost, told)]
            if not due and not self._running(target):
                self.say(f"Done: queues that were emptied: {len(moved)}")
                return
            counts = {(each.vhost, each.name): each.messages for each in due}
            if counts != before:
                before, quiet_since_s = counts, self.now_s()
            elif self.now_s() - quiet_since_s > self.wanted.timeout_s:
                raise CommandFailedError(self._left(due), codes.TEMPORARY_FAILURE)
            moved |= self._round(target, source, due)
            self.wait(POLL_S)

    def _due(self, source: RabbitmqSource, vhost: str, told: set[tuple[str, str]]) -> list[Waiting]:
        """The queues of a virtual host that hold messages which can be moved; of others it is said once why not."""
        due: list[Waiting] = []
        unsure: list[Waiting] = []
        for each in source.queues(vhost):
            reason = _why_not(each)
            if reason and (vhost, each.name) not in told:
                told.add((vhost, each.name))
                self.say(f"queue '{each.name}' in vhost '{vhost}' stays there: {reason}")
            elif not reason:
                (due if each.messages else unsure).append(each)
        counts = ready_counts(source.uri(self.wanted.amqp, vhost), [each.name for each in unsure]) if unsure else {}
        return [*due, *(each._replace(messages=counts[each.name]) for each in unsure if counts.get(each.name))]

    def _round(self, target: Where, source: RabbitmqSource, due: list[Waiting]) -> set[str]:
        """A shovel for each queue, so many at a time; those that have ended."""
        waiting = iter(due)
        ended: set[str] = set()
        ours: dict[str, Waiting] = {}
        progress: object = None
        quiet_since_s = self.now_s()
        exhausted = False
        while True:
            running = self._running(target)
            for name in [name for name in ours if name not in running]:
                each = ours.pop(name)
                ended.add(name)
                self.say(f"queue '{each.name}' in vhost '{each.vhost}': moved")
            while not exhausted and len({*running, *ours}) < self.wanted.at_a_time:
                each_or_none = next(waiting, None)
                if each_or_none is None:
                    exhausted = True
                    break
                name = name_of(each_or_none)
                if name not in running:
                    self._start(target, source, each_or_none, name)
                ours[name] = each_or_none
            if exhausted and not ours and not running:
                return ended
            now = (len(ended), {name: row["forwarded"] for name, row in running.items()})
            if now != progress:
                progress, quiet_since_s = now, self.now_s()
            elif self.now_s() - quiet_since_s > self.wanted.timeout_s:
                self._reasons = {name: str(row["reason"]) for name, row in running.items() if row["reason"]}
                raise CommandFailedError(self._left(list(ours.values())), codes.TEMPORARY_FAILURE)
            self.wait(POLL_S)

    def _start(self, target: Where, source: RabbitmqSource, queue: Waiting, name: str) -> None:
        definition = {
            "src-uri": source.uri(self.wanted.amqp, queue.vhost),
            "src-queue": queue.name,
            "src-predeclared": True,
            "src-delete-after": "queue-length",
            "dest-uri": f"amqp:///{quote(queue.vhost, safe='')}",
            "dest-queue": queue.name,
            "dest-predeclared": True,
            "ack-mode": "on-confirm",
            "reconnect-delay": RECONNECT_S,
        }
        ask(target, "set_parameter", ["shovel", name, json.dumps(definition)], {"vhost": queue.vhost}, ANSWER_TIMEOUT_S)

    def _running(self, target: Where) -> dict[str, Mapping[str, Any]]:
        """Our shovels that are there."""
        answer = ask(target, "shovel_status", ["name", "forwarded", "reason"], timeout_s=ANSWER_TIMEOUT_S)
        rows = cast("list[Mapping[str, Any]]", answer["rows"])
        return {each["name"]: each for each in rows if str(each["name"]).startswith(PREFIX)}

    def _left(self, queues: list[Waiting]) -> str:
        """Why it ends though messages are left."""
        first = ", ".join(f"'{each.name}' ({each.messages})" for each in queues[:5])
        more = f" and {len(queues) - 5} more" if len(queues) > 5 else ""
        held = sum(each.unacknowledged for each in queues)
        text = f"nothing has moved for {self.wanted.timeout_s:g} seconds, and there are messages left in {first}{more}"
        if held:
            text += f"; consumers of that RabbitMQ hold {held} of them: stop these"
        for reason in sorted(set(self._reasons.values()))[:3]:
            text += f"; {reason}"
        return f"{text}. Nothing is lost; give the command again to go on"


def name_of(queue: Waiting) -> str:
    """The name of a queue's shovel: the same whenever the command is given, and never too long."""
    return PREFIX + sha256(json.dumps([queue.vhost, queue.name]).encode()).hexdigest()[:24]


def _why_not(queue: Waiting) -> str:
    if queue.kind == STREAM:
        return "it is a stream, whose messages can be read there for as long as it keeps them"
    return "it belongs to one connection, and goes with that" if queue.is_exclusive else ""


def run(wanted: Wanted) -> None:
    """Do it, and say so.  Raises CommandFailedError."""
    importing = Importing(wanted, say=lambda text: print(text, flush=True))
    try:
        importing.run()
    except KeyboardInterrupt:
        print("\nShovels that have begun go on; give the command again to have the others moved, too")
        raise
