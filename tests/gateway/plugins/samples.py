"""Plugins for tests of the host: what each run of them does is told by the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import trio

from warren.core.exchanges.fanout import FanoutExchange
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.storage.definitions.store import JSON
from warren.gateway.plugin import (
    Answer,
    CheckParameter,
    Column,
    Context,
    Control,
    Key,
    Kind,
    Plugin,
    PolicyKey,
    PreconditionFailed,
    Request,
    Row,
    Word,
    done,
    text,
    whole_number,
    word,
)

Run = Callable[["Sample", Context], Awaitable[None]]


def check(vhost: str, name: str, value: JSON) -> None:
    if value == "crash":
        raise KeyError("crash")
    if not isinstance(value, int):
        raise PreconditionFailed(f"{name} has to be a number")


def is_true(value: JSON) -> bool:
    if value == "crash":
        raise KeyError("crash")
    return value is True


def fails_to_merge(user: JSON, operator: JSON) -> JSON:
    raise KeyError("merging")


class SampleQueue(ClassicQueue):
    type_name = "sample"


class SampleExchange(FanoutExchange):
    type_name = "x-sample"


class SampleRow(Row):
    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        self._number = number

    @Column
    def number(self) -> int:
        """Its number."""
        return self._number


class Sample(Plugin):
    """runs: what the first, second... run does; a run beyond them waits for its end.  instances: all that were made.

    unmade: errors of the first constructions.
    """

    name = "sample"
    about = "does as it is told"
    keys = (
        Key("sample_size", whole_number(1, 10), 3, "A size."),
        Key("sample_secret", text, "hush", "A password.", secret=True),
    )
    components: ClassVar[Mapping[str, CheckParameter]] = {"sample": check}
    policy_keys = (PolicyKey("sample-policy", "sample", "true", is_true, fails_to_merge),)
    queue_types = (SampleQueue,)
    exchange_types = (SampleExchange,)

    runs: ClassVar[list[Run]] = []
    instances: ClassVar[list[Sample]] = []
    bad_counters: ClassVar[bool] = False
    listing_name: ClassVar[str] = "samples"

    unmade: ClassVar[list[Exception]] = []

    def __init__(self) -> None:
        if self.unmade:
            raise self.unmade.pop(0)
        self.counted = 0
        self.instances.append(self)

    @classmethod
    def reset(cls, *runs: Run) -> None:
        cls.runs = list(runs)
        cls.instances = []
        cls.unmade = []
        cls.bad_counters = False
        cls.listing_name = "samples"

    def words(self) -> Sequence[Word]:
        return (
            word("", "how often this run was asked")(self.sample_count),
            word("", "fail")(self.sample_crash),
        )

    def sample_count(self, control: Control, request: Request) -> Answer:
        self.counted += 1
        return done(str(self.counted))

    async def sample_crash(self, control: Control, request: Request) -> Answer:
        raise ZeroDivisionError("in a word")

    def listings(self) -> Sequence[Kind]:
        def rows(broker: object, vhosts: object) -> Iterator[SampleRow]:
            yield SampleRow(7)

        return (Kind(self.listing_name, SampleRow, rows, lambda broker, vhosts: 1, shown=("number",)),)

    def counters(self) -> Mapping[str, float]:
        if self.bad_counters:
            raise ZeroDivisionError("in the counters")
        return {"asked": self.counted}

    async def start(self, context: Context) -> None:
        number = len(self.instances) - 1
        if number < len(self.runs):
            await self.runs[number](self, context)
        else:
            await for_ever(self, context)


class Second(Plugin):
    """Another one, beside Sample."""

    name = "second"
    started: ClassVar[list[str]] = []

    async def start(self, context: Context) -> None:
        try:
            await for_ever(self, context)
        finally:
            self.started.append("second ended")


class Rival(Plugin):
    """Wants Sample's component."""

    name = "rival"
    components: ClassVar[Mapping[str, CheckParameter]] = {"sample": check}

    async def start(self, context: Context) -> None: ...


class Misnamed(Plugin):
    name = "another"

    async def start(self, context: Context) -> None: ...


class Greedy(Plugin):
    """A key that is outside of its names."""

    name = "greedy"
    keys = (Key("heartbeat", text, "", ""),)

    async def start(self, context: Context) -> None: ...


class Typist(Plugin):
    """Wants the name of a built-in queue type."""

    class Classic(ClassicQueue):
        type_name = "classic"

    name = "typist"
    exchange_types = (SampleExchange,)
    queue_types = (Classic,)

    async def start(self, context: Context) -> None: ...


class Loud(Plugin):
    """A name that keys can't begin with."""

    name = "Loud"

    async def start(self, context: Context) -> None: ...


class Extra(Plugin):
    """One that isn't in the table, but offered by a package."""

    name = "extra"
    keys = (Key("extra_size", whole_number(1, 10), 3, "A size."),)

    async def start(self, context: Context) -> None: ...


not_a_plugin = 42
made_already = Extra()


async def for_ever(plugin: Plugin, context: Context) -> None:

    await trio.sleep_forever()


TABLE = {
    "sample": f"{__name__}:Sample",
    "second": f"{__name__}:Second",
    "rival": f"{__name__}:Rival",
    "misnamed": f"{__name__}:Misnamed",
    "greedy": f"{__name__}:Greedy",
    "typist": f"{__name__}:Typist",
    "Loud": f"{__name__}:Loud",
    "a_row": f"{__name__}:SampleRow",
    "made_already": f"{__name__}:made_already",
    "not_a_plugin": f"{__name__}:not_a_plugin",
    "gone": "tests.gateway.plugins.nothing:Gone",
}
