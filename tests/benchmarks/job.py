"""What a load generator is asked to do, what came of it, and how CPU time is read meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.consumer import Acks
from tests.support.process_usage import usage_of_tree

QUEUE = "benchmark"


@dataclass(frozen=True, slots=True)
class Job:
    """One load.  The defaults describe one publisher and one consumer of transient messages without acks.

    messages: how many each publisher publishes; every consumer gets all of them.
    confirm_window: unconfirmed messages at most; 0 publishes without confirms.
    consumers: with more than one, a fanout exchange feeds a queue for each.  0: fill the queue.
    publish: False consumes what an earlier job left.
    clients: if not 0, that many Echo clients share the messages instead of the publisher and the consumers.
    pairs: if not 0, the messages are shared by that many publishers and consumers, each pair with a queue of its own.
    exchange, keys: where to publish instead, with keys of one length that take turns; whoever asks for an exchange has
    declared the queue and its bindings.  Keys of the exchange "" are queues, which are filled in turn.
    purge: empty what was filled afterwards.  keep: leave the queue with its bindings.
    deep: the queue holds more than is consumed, from number 0 on; with a prefetch, and an ack each.
    rate: if not 0, publish so many messages per second, and take the time until each arrives.
    lone: publish with each confirm awaited before the next message, and take the time of each.
    consumers_on_queue: of the one queue, on one channel, which get the messages in turn.
    tls: speak AMQP over TLS.
    stream: the queue is a stream, which is read from its beginning.  kind: its type otherwise; empty for the usual one.
    publishers: with the protocol "stream", so many connections that share the messages.
    protocol: "amqp"; or "amqp10": one sender and one receiver, settled by who sends, or with a confirm_window unsettled
    with so many under way, and settled one by one by who receives; or "stomp": one publisher and one subscriber with
    ack:auto, 16-byte bodies; or "stream": batches of 100 messages of 16 bytes onto a stream that each of the consumers
    reads from its beginning, with so many unconfirmed as the confirm_window says; or "mqtt": QoS 1 if there is a
    confirm_window, which is then what may be unanswered per connection, else QoS 0; `clients`, if not 0, are
    publishers with one subscriber to all of them; `topics` is how many the publisher uses in turn, which are subscribed
    to one by one; `retain` has each message retained.
    messages_per_frame: with "mqtt" and QoS 0, over WebSocket, with so many messages in each frame; 0 without WebSocket.
    stall_timeout_s: fail when nothing moves for so long.
    timeout_s: fail when the load isn't done after so long.
    """

    port: int
    broker_pid: int
    messages: int
    body_size: int = 16
    persistent: bool = False
    confirm_window: int = 0
    acks: Acks = "automatic"
    prefetch: int = 0
    consumers: int = 1
    publish: bool = True
    clients: int = 0
    pairs: int = 0
    exchange: str = ""
    keys: Sequence[str] = ()
    purge: bool = False
    keep: bool = False
    deep: bool = False
    rate: float = 0.0
    lone: bool = False
    consumers_on_queue: int = 1
    tls: bool = False
    stream: bool = False
    kind: str = ""
    publishers: int = 1
    protocol: str = "amqp"
    topics: int = 1
    retain: bool = False
    messages_per_frame: int = 0
    stall_timeout_s: float = 20.0
    timeout_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job took.

    deliveries: messages that the consumers got, or, with no consumer, messages published.
    load_s: from the first byte sent to the last delivery, ack and confirm.
    broker_cpu_s, generator_cpu_s: CPU time from the first byte until everything was settled.
    times: other figures by name, such as percentiles of how long a message took.
    """

    deliveries: int
    load_s: float
    broker_cpu_s: float
    generator_cpu_s: float
    times: Mapping[str, float] = field(default_factory=dict)


class Meter:
    """Reads the broker's and this process's CPU time at the beginning and at the end."""

    def __init__(self, broker_pid: int) -> None:
        self._pid = broker_pid
        self._broker_cpu_s = usage_of_tree(broker_pid).cpu_s
        self._generator_cpu_s = time.process_time()

    def outcome(self, deliveries: int, load_s: float, times: Mapping[str, float] | None = None) -> Outcome:
        """What it was since the beginning."""
        generator_cpu_s = time.process_time() - self._generator_cpu_s
        broker_cpu_s = usage_of_tree(self._pid).cpu_s - self._broker_cpu_s
        return Outcome(deliveries, load_s, broker_cpu_s, generator_cpu_s, times or {})
