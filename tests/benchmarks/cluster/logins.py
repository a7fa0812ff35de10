"""Devices that log in by MQTT at all nodes of a cluster: what one of the nodes hears, says and works.

The node is whole, with its words encoded and decoded; what the others say is made here, and takes none of its time.
"""

from __future__ import annotations

import gc
import json
import time
from dataclasses import dataclass
from typing import NoReturn

from tests.support.core_broker import core_broker
from warren.adapters.mqtt.sessions.claims import Claims
from warren.adapters.mqtt.sessions.world import MqttWorld
from warren.core.access.answers import Unanswered
from warren.core.broker import Broker
from warren.gateway.cluster.sessions import SessionsExchange

USER = "devices"


@dataclass(frozen=True)
class Logins:
    """own, heard: at the node, and at others.  own_s, heard_s: its CPU time for all of them.

    said_bytes, heard_bytes: of words.
    """

    nodes: int
    own: int
    heard: int
    own_s: float
    heard_s: float
    said_bytes: int
    heard_bytes: int

    @property
    def bytes_each(self) -> float:
        """Between this node and the NATS servers, for each device of the cluster."""
        return (self.said_bytes + self.heard_bytes) / (self.own + self.heard)


def logins(nodes: int, devices: int, together: int) -> Logins:
    """So many devices log in, spread over so many nodes, each for the first time.

    together: how many of those at one node share a word.
    """
    claims, exchange = _node("n0")
    others = [f"n{number}" for number in range(1, nodes)]
    claims.set_nodes(others)
    exchange.words()
    gc.collect()  # or somebody else's garbage is collected meanwhile
    own = devices // nodes
    own_s = heard_s = 0.0
    said_bytes = heard_bytes = answered = 0

    for at in range(0, own, together):
        names = [f"device-0-{number:09}" for number in range(at, min(at + together, own))]
        waiting = []
        began = time.process_time()
        for name in names:
            try:
                claims.claim("/", name, USER, clean=False)
            except Unanswered as unanswered:
                waiting.append(unanswered.pin(lambda: None))
        words = exchange.words()
        own_s += time.process_time() - began
        said_bytes += sum(len(payload) for _, payload in words)
        for _, payload in words:
            asked = json.loads(payload)[2]
            told = [(stamp, vhost, name) for vhost, name, _, stamp, _, _ in asked]
            answers = [json.dumps(["nothing", other, told]).encode() for other in others]
            heard_bytes += sum(map(len, answers))
            began = time.process_time()
            for answer in answers:
                exchange.hear(answer)
            own_s += time.process_time() - began
        began = time.process_time()
        for name, claim in zip(names, waiting, strict=True):
            claims.claim("/", name, USER, clean=False)  # raises nothing now
            claim.release()
            answered += 1
        own_s += time.process_time() - began

    heard = 0
    for number, other in enumerate(others, 1):
        for at in range(0, own, together):
            claimed = [
                ["/", f"device-{number}-{device:09}", USER, device, False, False]
                for device in range(at, min(at + together, own))
            ]
            payload = json.dumps(["claims", other, claimed]).encode()
            heard_bytes += len(payload)
            began = time.process_time()
            exchange.hear(payload)
            words = exchange.words()
            heard_s += time.process_time() - began
            said_bytes += sum(len(said) for _, said in words)
            heard += sum(len(json.loads(said)[2]) for _, said in words)
    assert answered == own, "not all were let in"
    assert heard == own * len(others), "not all were answered"
    return Logins(nodes, own, heard, own_s, heard_s, said_bytes, heard_bytes)


def _node(name: str) -> tuple[Claims, SessionsExchange]:
    found: list[Claims] = []

    def component(broker: Broker) -> MqttWorld:
        world = MqttWorld(broker)
        found.append(world.claim_by(name))
        return world

    core_broker(components={"mqtt": component})
    return found[0], SessionsExchange(found[0], _no_queue, lambda: True)


def _no_queue(*which: object) -> NoReturn:
    raise AssertionError("nothing is fetched, as nobody has a session")
