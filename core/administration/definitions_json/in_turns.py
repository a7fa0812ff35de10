"""An import of very much, in slices, while the broker goes on.

    read, checked    by whoever has asked for it (`check`); it may still be refused, and has changed nothing
    noted            in the definitions, so that a start behind a crash carries it to its end (journal.py)
    carried out      as a chore of the broker, whatever becomes of who has asked for it; a stop does it to its end
    forgotten        the note goes with the last of it

So it happens as a whole or not at all, as one that is done at once does.  What others declare or delete meanwhile
counts as if they had done it before: what is there stays, and what can't be done without it is left out, with a
warning.  Others see some of it before all of it is there.

What is little is imported at once, and so is everything in a cluster, which has to agree on it first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json import journal
from warren.core.administration.definitions_json.importing import Imported, import_definitions, log_import
from warren.core.administration.definitions_json.plan import ROW_BYTES, Plan
from warren.core.administration.definitions_json.planning import Planner, scratch_broker
from warren.core.administration.definitions_json.reading import read_in_slices, text_of
from warren.core.administration.steps import Steps
from warren.core.chores import LET_GO_PER_SLICE
from warren.core.errors import BrokerError, InternalError, PreconditionFailed
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.answer import Answer
    from warren.core.storage.definitions.store import JSON

AT_ONCE_BYTES_MAX: Final = 8 * 1024
"""A document up to this size is imported in one turn: some fifty queues."""


class Import:
    """A file that may be imported; what `check` makes."""

    __slots__ = ("_broker", "_data", "_document", "_plan", "_source", "_vhost")

    def __init__(
        self,
        broker: Broker,
        data: bytes | str,
        vhost: str | None,
        source: str,
        plan: Plan | None = None,
        document: Mapping[str, JSON] | None = None,
    ) -> None:
        self._broker = broker
        self._data = data
        self._vhost = vhost
        self._source = source
        self._plan = plan
        self._document = document

    def carry_out(self, answer: Answer[Imported]) -> None:
        """Do it, from this turn on.  answer: told when it is done, or why it can't be done to its end.

        Raises LowOnDisk, having done nothing, and what `import_definitions` raises where that does it.
        """
        broker, plan, source = self._broker, self._plan, self._source
        if plan is None:
            imported = import_definitions(broker, self._data, vhost=self._vhost)
            log_import(imported, source)
            answer(imported)
            return
        counts = plan.counts()
        broker.definitions.check_room(len(self._data) + ROW_BYTES * sum(counts.values()))
        steps = Steps(self._slices(plan))

        def do_slice() -> bool:
            try:
                has_more = steps.step()
            except Exception as error:
                answer(
                    InternalError(f"the import has failed before its end, and the next start tries again: {error!r}")
                )
                raise
            if not has_more:
                imported = Imported(counts, plan.warnings)
                log_import(imported, source)
                answer(imported)
            return has_more

        broker.chores.add(do_slice, to_the_end=True)

    def _slices(self, plan: Plan) -> Generator[None, None, None]:
        broker, vhost = self._broker, self._vhost
        text = text_of(self._data)
        name = hashlib.sha256(f"{vhost}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
        if broker.definitions.durable:
            yield from journal.note(broker, name, text, vhost)
        yield from plan.carry_out_in_slices(broker)
        if broker.definitions.durable:
            journal.forget(broker, name)
        yield from plan.let_go()
        for rows in (self._document or {}).values():
            yield from _let_go(rows)


def check(broker: Broker, data: bytes | str, *, vhost: str | None, source: str) -> Steps[Import]:
    """Read and check a definitions file; nothing has changed by that.

    vhost: as `import_definitions` has it.  source: where it came from, for the log.  Raises PreconditionFailed, as that
    does.
    """
    return Steps(_check(broker, data, vhost, source))


def _check(broker: Broker, data: bytes | str, vhost: str | None, source: str) -> Generator[None, None, Import]:
    if len(data) <= AT_ONCE_BYTES_MAX or broker.agreements is not None:
        return Import(broker, data, vhost, source)
    try:
        document = yield from read_in_slices(text_of(data))
        if vhost is not None:
            broker.vhost(vhost)
        plan = yield from Planner(broker, scratch_broker(broker), document, vhost).plan_in_slices()
    except BrokerError as error:
        raise limited(PreconditionFailed(f"nothing was imported: {error.text}"), error.limit) from error
    return Import(broker, data, vhost, source, plan, document)


def _let_go(rows: JSON) -> Iterator[None]:
    while isinstance(rows, list) and rows:
        del rows[-LET_GO_PER_SLICE:]
        yield
