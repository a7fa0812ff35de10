"""Rounds of faults at random, from a seed, over a cluster with clients on it; at the end the history is checked."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tests.cluster_history.clients import Clients
from tests.cluster_history.ledger import Ledger
from tests.cluster_history.processes import NAMES, SIZE, Processes, processes
from tests.cluster_history.proxies import Proxy
from tests.support.ctl import ctl

FAULT_S: Final = (0.3, 8.0)
"""How long one lasts: shorter and longer than leases and elections."""

REST_S: Final = (0.0, 3.0)
SETTLE_S: Final = 300.0
"""How long what was confirmed may take to come, and all nodes to have the same definitions, once all is mended."""

LISTED: Final = {
    "queues": "name,durable,type,node",
    "exchanges": "name,type,durable",
    "bindings": "source_name,destination_name,destination_kind,routing_key",
}


class Outcome(NamedTuple):
    """faults: what was done to the cluster, by kind.  wrong: what may not be, in words."""

    faults: Counter[str]
    published: int
    confirmed: int
    delivered: int
    wrong: list[str]

    def __str__(self) -> str:
        done = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items()))
        return f"{done}; {self.published} published, {self.confirmed} confirmed, {self.delivered} delivered"


class Fault(NamedTuple):
    """kind: as it is counted.  what: for people.  begin, end: do it, and mend it."""

    kind: str
    what: str
    begin: Callable[[], None]
    end: Callable[[], None]


def run(parent: Path, seed: int, rounds: int, say: Callable[[str], None] = print) -> Outcome:
    """So many rounds below a directory that is empty."""
    chance = random.Random(seed)
    ledger = Ledger()
    done: Counter[str] = Counter()
    with processes(parent) as cluster:
        clients = Clients(cluster, ledger, seed)
        clients.declare()
        _wait(lambda: all(clients.are_known_at(name) for name in NAMES))
        clients.start()
        try:
            for number in range(1, rounds + 1):
                faults = [_fault(cluster, chance)]
                if chance.random() < 0.3:
                    other = _fault(cluster, chance)
                    faults += [other] if other.what.split()[-1] != faults[0].what.split()[-1] else []
                say(f"round {number}: {' and '.join(fault.what for fault in faults)}")
                for fault in faults:
                    fault.begin()
                    done[fault.kind] += 1
                time.sleep(chance.uniform(*FAULT_S))
                for fault in faults:
                    fault.end()
                time.sleep(chance.uniform(*REST_S))
            clients.stop_publishing()
            say("all is mended; waiting for what was confirmed")
            _wait(lambda: not ledger.missing_count)
        finally:
            clients.stop()
        wrong = [*ledger.faults(), *clients.failures]
        _wait(lambda: len({json.dumps(_definitions(cluster, name)) for name in NAMES}) == 1)
        wrong += _differences(cluster)
    return Outcome(done, len(ledger.tried), len(ledger.confirmed), len(ledger.deliveries), wrong)


def _fault(cluster: Processes, chance: random.Random) -> Fault:
    name, number = chance.choice(NAMES), chance.randrange(SIZE)
    other = chance.choice([each for each in NAMES if each != name])
    server, peer = cluster.servers[number], (number + chance.randrange(1, SIZE)) % SIZE
    hangs = chance.random() < 0.5
    how = "hangs" if hangs else "is cut"
    match chance.randrange(8):
        case 0:
            begin, end = partial(cluster.kill_node, name), partial(cluster.start_node, name)
            return Fault("nodes killed", f"kill {name}", begin, end)
        case 1:
            return Fault("servers killed", f"kill {server.name}", partial(server.stop, 0), server.start)
        case 2:
            stop, go_on = (partial(cluster.signal_node, name, each) for each in (signal.SIGSTOP, signal.SIGCONT))
            return Fault("nodes paused", f"pause {name}", stop, go_on)
        case 3:
            return Fault("servers paused", f"pause {server.name}", server.pause, server.go_on)
        case 4:
            routes = [cluster.routes[number, peer], cluster.routes[peer, number]]
            what = f"{how}: from nats{peer + 1} to {server.name}"
            return Fault("routes cut", what, lambda: _all(routes, hangs), lambda: _mend(routes))
        case 5:
            to_server = cluster.clients[name, number]
            what = f"{how}: from {server.name} to {name}"
            return Fault("ways to servers cut", what, lambda: to_server.cut(hangs=hangs), to_server.mend)
        case 6:
            front = cluster.fronts[name]
            what = f"{how}: from clients to {name}"
            return Fault("clients cut", what, lambda: front.cut(hangs=hangs), front.mend)
        case _:
            link = cluster.links[other]
            what = f"{how}: from {name} to {other}"
            return Fault("links cut", what, lambda: link.cut(name, hangs=hangs), lambda: link.mend(name))


def _all(proxies: list[Proxy], hangs: bool) -> None:
    for proxy in proxies:
        proxy.cut(hangs=hangs)


def _mend(proxies: list[Proxy]) -> None:
    for proxy in proxies:
        proxy.mend()


def _wait(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + SETTLE_S
    while not condition() and time.monotonic() < give_up_s:
        time.sleep(0.2)


def _definitions(cluster: Processes, name: str) -> dict[str, list[dict[str, object]]]:
    """What a node has; the binding of each queue to the default exchange isn't looked at."""
    found = {}
    for what, columns in LISTED.items():
        said = ctl(cluster.nodes[name].data_directory, f"list_{what}", *columns.split(","), "--formatter", "json")
        rows = json.loads(said)
        for row in rows:
            # Who owns a shard may have moved on; where a classic queue is may not.
            if row.get("type") == "quorum":
                row.pop("node", None)
        found[what] = sorted(rows, key=json.dumps)
    return found


def _differences(cluster: Processes) -> list[str]:
    first = _definitions(cluster, NAMES[0])
    return [
        f"{NAMES[0]} and {name} have different {what}: {first[what]} and {other[what]}"
        for name in NAMES[1:]
        for other in [_definitions(cluster, name)]
        for what in LISTED
        if other[what] != first[what]
    ]
