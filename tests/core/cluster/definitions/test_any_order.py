"""Whatever is done where, and however late the nodes hear of it: in the end all have the same, and answers were true.

Commands are begun on random nodes, of which several may wait at once, while values come late, answers of the bucket are
lost, nodes lose sight of it, and start again in the middle of all that.  Some names are only ever declared, so that
there is one winner for good; others come and go.  Of a name that one command after the other was about, the last one's
outcome has to be what is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.simulated_cluster import Bucket, Node, run
from warren.core.broker import Broker
from warren.core.cluster.definitions.rows import local_rows
from warren.core.declaring.actor import Administrator
from warren.core.declaring.bindings import bind, unbind
from warren.core.declaring.exchanges import declare_exchange, delete_exchange
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.errors import BrokerError, NotAllowed, NotFound, PreconditionFailed
from warren.core.messages.field_table import EMPTY_TABLE_RAW, FieldTable, encode_table

NAMES = ("for good 1", "for good 2", "comes and goes 1", "comes and goes 2")
VHOSTS = ("/", "comes and goes")
TYPES = ("direct", "fanout", "topic")
QUORUM: FieldTable = {"x-queue-type": "quorum"}
STEPS = 60

Command = Callable[[Broker], object]


def actor(broker: Broker, vhost: str) -> Administrator:
    return Administrator(broker.vhost(vhost))


class Scenario:
    """One run.  last: whether what the last command was about is to be there, None where nobody can know."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.bucket = Bucket()
        self.nodes = [Node(f"n{number}", self.bucket) for number in range(3)]
        run(*self.nodes)
        self.sighted = set(range(3))
        self.count = 0
        self.waiting: dict[tuple[Node, str], tuple[str, bool | None]] = {}
        self.busy: dict[str, int] = {}
        self.overlaps: set[str] = set()
        self.last: dict[str, bool | None] = {}
        self.types: dict[str, set[object]] = {}

    def step(self) -> None:
        at = self.random.randrange(3)
        node = self.nodes[at]
        kind = self.random.randrange(12)
        if kind < 4:
            self.begin(node)
        elif kind < 6 and at in self.sighted:
            node.take_writes(lambda: self.random.random() < 0.2)
        elif kind < 9 and at in self.sighted:
            node.deliver(self.random.randrange(1, 5))
        elif kind == 9:
            self.sighted ^= {at}
            if at in self.sighted:
                node.begin_anew()
        elif kind == 10:
            node.advance(self.random.randrange(6_000))
        elif self.random.random() < 0.3:
            for key in [key for key in self.waiting if key[0] is node]:
                self.ended(key, None)
            node.start()
            self.sighted.add(at)
        self.look()

    def begin(self, node: Node) -> None:
        name, makes, command = self.command()
        self.count += 1
        what = f"{self.count} {name}"
        # What overlaps with another one about the same has either outcome.
        others = self.busy.get(name, 0)
        self.busy[name] = others + 1
        if others:
            self.overlaps.add(name)
        self.waiting[node, what] = name, makes
        node.ask(what, command)
        if what in node.answers:
            # By what the node knows, which others may have changed: nothing was agreed on.
            self.overlaps.add(name)

    def command(self) -> tuple[str, bool | None, Command]:
        vhost = self.random.choice(VHOSTS)
        name = self.random.choice(NAMES)
        goes = name.startswith("comes")
        kind = self.random.randrange(12)
        if kind < 3:
            type_name = self.random.choice(TYPES)

            def declare(broker: Broker) -> object:
                return declare_exchange(actor(broker, vhost), name, type_name, durable=True).type_name

            return f"exchange {vhost} {name}", True, declare
        if kind < 5:
            raw = encode_table(QUORUM)

            def declare_a_queue(broker: Broker) -> object:
                made = declare_queue(actor(broker, vhost), name, durable=True, arguments=QUORUM, arguments_raw=raw)
                return made.type_name

            return f"queue {vhost} {name}", True, declare_a_queue
        if kind == 5 and goes:
            return f"exchange {vhost} {name}", False, lambda broker: delete_exchange(actor(broker, vhost), name)
        if kind == 6 and goes:
            # Its answer comes by itself, and is looked at elsewhere.
            return f"queue {vhost} {name}", None, lambda broker: delete_queue(actor(broker, vhost), name)
        if kind == 7:
            other = self.random.choice(NAMES)
            if self.random.random() < 0.3:
                return "binding", False, lambda broker: unbind(actor(broker, vhost), "queue", name, other, "", {})
            return (
                "binding",
                True,
                lambda broker: bind(actor(broker, vhost), "queue", name, other, "", {}, EMPTY_TABLE_RAW),
            )
        if kind == 8:
            if self.random.random() < 0.5:
                return "vhost", False, lambda broker: broker.delete_vhost(VHOSTS[1])
            return "vhost", True, lambda broker: broker.add_vhost(VHOSTS[1], {"description": name}).name
        if kind == 9:
            user = f"user {name}"
            if goes and self.random.random() < 0.4:
                return user, False, lambda broker: broker.users.delete_user(name)
            return user, True, lambda broker: broker.users.add_user_hash(name, "", None).name
        if kind == 10:
            return "permission", True, lambda broker: broker.users.set_permissions(name, vhost, name, "", "")
        value = self.random.randrange(5)
        return f"parameter {name}", True, lambda broker: broker.parameters.set_global(name, value)

    def look(self) -> None:
        """Which commands were answered?"""
        for node, what in list(self.waiting):
            if what in node.answers:
                self.ended((node, what), node.answers[what])

    def ended(self, key: tuple[Node, str], answer: object) -> None:
        name, makes = self.waiting.pop(key)
        self.busy[name] -= 1
        refused = isinstance(answer, BrokerError)
        known = not refused or isinstance(answer, PreconditionFailed | NotFound | NotAllowed)
        if key[1] not in key[0].answers or not known or refused:
            # It may have been done all the same.
            self.last[name] = None
        else:
            self.last[name] = None if name in self.overlaps else makes
        if not self.busy[name]:
            self.overlaps.discard(name)
        if "for good" in name and name.startswith("exchange /") and not refused and answer is not None:
            self.types.setdefault(name, set()).add(answer)

    def end(self) -> None:
        """Everybody sees the bucket, and all comes to rest."""
        for node in self.nodes:
            node.begin_anew()
        run(*self.nodes)
        for node in self.nodes:
            node.advance(60_000)
        run(*self.nodes)
        self.look()
        assert not self.waiting


def shared(node: Node) -> list[str]:
    rows = [(*change[:3], change.value) for change in local_rows(node.broker, "n")]
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def table(node: Node) -> dict[str, int]:
    return {key: node.replica.table.revision(key) for key in node.replica.table}


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.integers(0, 2**32 - 1))
def test_all_nodes_have_the_same_in_the_end_and_answers_were_true(seed: int) -> None:
    scenario = Scenario(Random(seed))
    for _ in range(STEPS):
        scenario.step()
    scenario.end()
    one, *others = scenario.nodes
    for node in scenario.nodes:
        assert node.has_joined
        assert not node.replica.blocked
        assert node.replica.table.orphans() == []
        assert not node.replica.proposals.waiting_count
    for other in others:
        assert shared(other) == shared(one)
        assert table(other) == table(one)
    exchanges = one.broker.vhosts["/"].exchanges
    for name, types in scenario.types.items():
        assert types == {exchanges[name.removeprefix("exchange / ")].type_name}, "one winner, and nobody was told else"
    for name, is_there in scenario.last.items():
        kind, _, rest = name.partition(" ")
        if is_there is None:
            continue
        if kind in ("exchange", "queue") and rest.startswith("/ "):
            vhost = one.broker.vhosts["/"]
            found = vhost.exchanges if kind == "exchange" else vhost.queues
            assert (rest.removeprefix("/ ") in found) == is_there, name
        elif kind == "user":
            assert (rest in one.broker.users) == is_there, name
        elif kind == "vhost":
            assert (VHOSTS[1] in one.broker.vhosts) == is_there, name
