"""One run: what is done, from a seed; doing it; and what is seen, as a hash.

A run is a list of actions, each a kind, the peer that it is about, and a number that all its own choices come from.  So
an action means the same whatever was left out before it, which is what makes failing runs short (shrink.py).
"""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.simulation.whole.amqp091 import Amqp091Peer
from tests.simulation.whole.amqp10 import Amqp10Peer
from tests.simulation.whole.bridge import BridgeDestination, BridgeSource
from tests.simulation.whole.damage import cost_of, records_of
from tests.simulation.whole.ledger import Broken, Ledger
from tests.simulation.whole.machine import DiskFailed, Machine
from tests.simulation.whole.mqtt import MqttPublisher, MqttSubscriber
from tests.simulation.whole.peer import Peer, World
from tests.simulation.whole.stomp import StompPeer
from tests.simulation.whole.stream import StreamPublisher, StreamReader
from tests.simulation.whole.topology import declare
from warren.adapters.mqtt.codec import versions

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS_MAX: Final = 500
"""So often peers and broker answer each other before it is said that they never come to rest."""

PLACE: Final = next((each for each in ("/dev/shm",) if Path(each).is_dir()), None)
"""Where the files of the simulated disk are: in memory, where there is such a place."""


class Action(NamedTuple):
    """See the head of this file."""

    kind: str
    peer: int
    salt: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.peer}:{self.salt}"


KINDS: Final = {
    "do": 40,
    "feed": 16,
    "read": 12,
    "turn": 8,
    "rest": 7,
    "begin": 5,
    "write": 5,
    "finish": 5,
    "maintain": 3,
    "lose": 4,
    "slow": 2,
    "quick": 2,
    "advance": 2,
    "power": 2,
    "kill": 1,
    "stop": 1,
    "full": 1,
    "room": 2,
    "fail": 0.5,
    "flip": 0.7,
}
"""What may happen, and how often beside each other.

do: the peer does something.  feed, read: bytes go to the broker, or from it.  turn, begin, write, finish: the broker
goes on by a step.  rest: everybody goes on as far as possible, and all is compared.  lose: a connection breaks.  slow,
quick: the peer doesn't read, or does again.  power, kill, stop: the broker ends, and starts again.  full, room, fail,
flip: the disk is full, isn't any more, fails its next sync, or has a bit that isn't what it was.
"""

PEERS: Final = (
    "amqp-0",
    "amqp-1",
    "stomp-0",
    "mqtt-publisher",
    "mqtt-old-publisher",
    "mqtt-5",
    "mqtt-311",
    "amqp10-0",
    "stream-publisher",
    "stream-reader",
    "bridge-source",
    "bridge-destination",
)


ALWAYS: Final = ("do", "feed", "read", "turn", "rest", "begin", "write", "finish")
"""What happens in each run; the other kinds happen in about half of them, so that each has runs without it."""

PEERS_LEAST, PEERS_MOST = 2, 6

GOES_WITH: Final = {"bridge-source": "bridge-destination", "bridge-destination": "bridge-source"}


def plan(seed: int, length: int) -> list[Action]:
    """The actions of a seed: of some peers, and some of what may happen (swarm testing)."""
    chance = random.Random(seed)
    names = set(chance.sample(PEERS, chance.randint(PEERS_LEAST, PEERS_MOST)))
    names |= {GOES_WITH[name] for name in names if name in GOES_WITH}
    peers = [number for number, name in enumerate(PEERS) if name in names]
    weights = {kind: weight for kind, weight in KINDS.items() if kind in ALWAYS or chance.random() < 0.5}
    weights["do"] *= chance.choice([1, 2])
    kinds = chance.choices(list(weights), list(weights.values()), k=length)
    return [Action(kind, chance.choice(peers), chance.randrange(1 << 32)) for kind in kinds]


class Outcome(NamedTuple):
    """trace: a hash of all that was seen, which is lines.  error: None if all promises were kept.  counts: by what."""

    trace: str
    lines: list[str]
    error: BaseException | None
    counts: dict[str, int]


class Run:
    """See the head of this file."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.lines: list[str] = []
        self._flipped: set[str] = set()
        self.crashes = self.stops = 0
        self.ledger = Ledger()
        self.machine = Machine(directory, random.Random(seed), self.ledger.commit_begun, self.ledger.commit_finished)
        self.world = World(self.machine, self.ledger, self._trace)
        self.peers = make_peers(self.world)
        self._directory = directory
        self._hash = hashlib.sha256()

    def _trace(self, line: str) -> None:
        self._hash.update(line.encode())
        self._hash.update(b"\n")
        self.lines.append(line)

    @property
    def trace(self) -> str:
        """The hash of all that was seen until now."""
        return self._hash.hexdigest()

    def counts(self) -> dict[str, int]:
        """How much has happened."""
        return {
            "crashes": self.crashes,
            "clean restarts": self.stops,
            "connections": sum(peer.connections for peer in self.peers),
            "deliveries": self.ledger.deliveries,
            "messages": len(self.ledger.messages),
            "flipped bits": len(self._flipped),
            "messages lost to flipped bits": self.ledger.lost_to_damage,
        }

    def begin(self) -> None:
        """Start the broker, with what the peers take for granted."""
        self.machine.start()
        declare(self.machine.broker)
        self._rest()

    def do(self, action: Action) -> None:
        """One action."""
        self._trace(str(action))
        chance = random.Random(action.salt)
        try:
            getattr(self, f"_{action.kind}")(self.peers[action.peer % len(self.peers)], chance)
        except DiskFailed:
            self._trace("the disk has failed")
            self._crash(power=True)
        self.machine.check_log()

    def end(self) -> None:
        """All faults are over: everybody finishes, and everything that was promised has to be there."""
        self.machine.disk.failing_syncs = 0
        self._room(self.peers[0], random.Random(0))
        for peer in self.peers:
            peer.slow_down(None)
        self._rest()
        self._crash(power=True)
        self.world.is_calm = True
        used = [peer for peer in self.peers if peer is self.peers[0] or (peer.connections and peer.keeps_something)]
        for peer in used:
            peer.drain()
        self._rest()
        for peer in used:
            peer.finish()
        self._rest()
        self._check_end()
        self.machine.check_log()

    def _check_end(self) -> None:
        for queue in self.machine.vhost.queues.values():
            if queue.name in self.ledger.copies and (queue.ready_count or queue.unacked_count):
                raise Broken(
                    f"{queue.name} is drained, and counts {queue.ready_count} and {queue.unacked_count} messages"
                )

    # Actions

    def _do(self, peer: Peer, chance: random.Random) -> None:
        peer.do(chance)
        if chance.random() < 0.7:
            peer.feed(None)

    def _feed(self, peer: Peer, chance: random.Random) -> None:
        peer.feed(chance.choice([1, 3, 10, 100, 1000, None]))

    def _read(self, peer: Peer, chance: random.Random) -> None:
        peer.read(chance.choice([1, 7, 50, 500, None]))

    def _turn(self, peer: Peer, chance: random.Random) -> None:
        self.machine.turn()

    def _begin(self, peer: Peer, chance: random.Random) -> None:
        self.machine.turn()
        self.machine.begin_commit()

    def _write(self, peer: Peer, chance: random.Random) -> None:
        self.machine.write_commit()

    def _finish(self, peer: Peer, chance: random.Random) -> None:
        self.machine.finish_commit()
        self.machine.turn()

    def _maintain(self, peer: Peer, chance: random.Random) -> None:
        self.machine.maintain(chance.choice([1, 5]))

    def _lose(self, peer: Peer, chance: random.Random) -> None:
        peer.lose()

    def _slow(self, peer: Peer, chance: random.Random) -> None:
        peer.slow_down(chance.choice([0, 10, 300]))

    def _quick(self, peer: Peer, chance: random.Random) -> None:
        peer.slow_down(None)

    def _advance(self, peer: Peer, chance: random.Random) -> None:
        self.machine.advance(chance.choice([1, 100, 2_000]))

    def _power(self, peer: Peer, chance: random.Random) -> None:
        self._crash(power=True)

    def _kill(self, peer: Peer, chance: random.Random) -> None:
        self._crash(power=False)

    def _full(self, peer: Peer, chance: random.Random) -> None:
        self.machine.disk.room = chance.choice([0, 700, 3000])

    def _room(self, peer: Peer, chance: random.Random) -> None:
        self.machine.disk.room = None
        self.machine.write_commit()
        self.machine.finish_commit()

    def _fail(self, peer: Peer, chance: random.Random) -> None:
        self.machine.disk.failing_syncs = 1

    def _flip(self, peer: Peer, chance: random.Random) -> None:
        """A bit of a segment that nobody writes to any more, and that has no other flipped bit."""
        closed = sorted((self._directory / "messages").glob("*.log"))[:-1]
        closed = [path for path in closed if path.name not in self._flipped and self.machine.disk.is_safe(path)]
        closed = [path for path in closed if path.stat().st_size]
        if not closed:
            return
        path = closed[chance.randrange(len(closed))]
        self._flipped.add(path.name)
        content, records = path.read_bytes(), records_of(path)
        at = self.machine.disk.flip_a_bit(path, chance)
        cost = cost_of(content, records, at)
        self._trace(f"a bit of {path.name} at {at}: {sorted(cost.numbers)} {cost.settlements}")
        self.ledger.may_be_damaged |= cost.numbers
        self.ledger.forgets = self.ledger.forgets or cost.settlements

    def _stop(self, peer: Peer, chance: random.Random) -> None:
        self._room(peer, chance)
        if self.machine.disk.failing_syncs:
            return
        self._rest()
        self.stops += 1
        self.machine.stop()
        self._lose_all()
        self.ledger.stopped()
        self._start()

    def _rest(self, peer: Peer | None = None, chance: random.Random | None = None) -> None:
        """Until nobody has anything to do, or can do anything; then all is looked at."""
        machine = self.machine
        for _ in range(ROUNDS_MAX):
            progress = [peer.feed(None) for peer in self.peers]
            machine.rest()
            progress += [peer.read(None) for peer in self.peers]
            if not any(progress):
                break
        else:
            raise AssertionError("they never come to rest")
        if machine.full or any(peer.transport is not None and peer.transport.paused for peer in self.peers):
            return
        for peer in self.peers:
            peer.rested()
        self.ledger.compare(machine.vhost.queues.values())

    # Ends

    def _lose_all(self) -> None:
        for peer in self.peers:
            peer.forget()

    def _crash(self, *, power: bool) -> None:
        self.crashes += 1
        self.machine.crash(power=power)
        self._lose_all()
        self.ledger.crashed()
        self._start()

    def _start(self) -> None:
        self.machine.disk.room = None
        self.machine.start()
        declare(self.machine.broker)
        self._rest()


def make_peers(world: World) -> list[Peer]:
    """Those of `PEERS`."""
    source, destination = BridgeSource(world, PEERS[10]), BridgeDestination(world, PEERS[11])
    source.other, destination.other = destination, source
    return [
        Amqp091Peer(world, PEERS[0]),
        Amqp091Peer(world, PEERS[1]),
        StompPeer(world, PEERS[2]),
        MqttPublisher(world, PEERS[3]),
        MqttPublisher(world, PEERS[4], versions.V3_1_1),
        MqttSubscriber(world, PEERS[5]),
        MqttSubscriber(world, PEERS[6], versions.V3_1_1),
        Amqp10Peer(world, PEERS[7]),
        StreamPublisher(world, PEERS[8]),
        StreamReader(world, PEERS[9]),
        source,
        destination,
    ]


def run(seed: int, actions: Sequence[Action]) -> Outcome:
    """Do these actions, on a disk whose chances come from `seed`."""
    directory = Path(tempfile.mkdtemp(dir=PLACE, prefix="warren-simulated-"))
    found = Run(directory, seed)
    error: BaseException | None = None
    try:
        with found.machine:
            try:
                found.begin()
                for action in actions:
                    found.do(action)
                found.end()
            except Exception as failure:
                error = failure
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return Outcome(found.trace, found.lines, error, found.counts())
