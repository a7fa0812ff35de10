"""What Warren is to reach: rows of one table, each a figure of a scenario beside another Warren's and a peer's.

A row with a limit has a value of its own that it should not exceed; the others have ratios: Warren's figure divided by
that of the commit before (`--against`), and by the peer's in the same runs.
"""

from __future__ import annotations

from dataclasses import dataclass

RATE = "messages/s"
CPU = "broker CPU µs/message"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a scenario, and what is aimed at.

    more: whether a larger figure is better.  before, beside: the ratios aimed at, to the commit before and to the peer;
    None where nothing is.  peer: who that is; empty for none.  limit: the value aimed at.
    """

    label: str
    scenario: str
    figure: str = RATE
    more: bool = True
    before: float | None = None
    peer: str = ""
    beside: float | None = None
    limit: float | None = None

    def reached(self, ratio: float, aim: float) -> bool:
        """Whether a ratio, or a value, is as good as was aimed at."""
        return ratio >= aim if self.more else ratio <= aim


def _rate(label: str, scenario: str, before: float, peer: str = "", beside: float | None = None) -> Row:
    return Row(label, scenario, before=before, peer=peer, beside=beside)


def _time(label: str, scenario: str, figure: str, before: float | None, beside: float | None) -> Row:
    return Row(f"{label}: {figure}", scenario, figure, False, before, RABBITMQ, beside)


RABBITMQ = "rabbitmq"
MOSQUITTO = "mosquitto"
PERCENTILES = ("p50 ms", "p99 ms", "p99.9 ms")
_KIB = 1024

ROWS = (
    _rate("AMQP 1→1 transient, automatic acks", "transient", 1.9, RABBITMQ, 5.5),
    _rate("AMQP 1→1 transient, manual acks, prefetch 1,000", "transient-acks", 1.9, RABBITMQ, 6),
    _rate("AMQP 1→1 persistent, 1,000 confirms, manual acks", "persistent", 1.6, RABBITMQ, 8),
    _rate("AMQP persistent, one confirm at a time", "lone-confirms", 1.6, RABBITMQ, 1.3),
    _time("AMQP persistent, one confirm at a time", "lone-confirms", "p50 ms", None, None),
    _time("AMQP persistent, one confirm at a time", "lone-confirms", "p99 ms", None, None),
    _rate("AMQP publish only, then purged", "queueing", 2, RABBITMQ, 8),
    _rate("AMQP fan-out 1→4", "fanout-4", 1.6, RABBITMQ, 10),
    _rate("AMQP fan-out 1→10", "fanout", 1.6, RABBITMQ, 10),
    _rate("AMQP 1→1, 1 KiB", "transient-1k", 1.4, RABBITMQ, 8),
    _rate("AMQP 1→1, 16 KiB", "transient-16k", 1.4, RABBITMQ, 4),
    _rate("AMQP 100 publishers, consumers and queues", "pairs", 1.7, RABBITMQ, 6),
    _rate("AMQP topics, 10,000 bindings, 1,000 keys", "topics", 1.7, RABBITMQ, 8),
    *(_time("AMQP at 5,000 messages/s", "latency-5k", figure, 1.0, 1.0) for figure in PERCENTILES),
    *(_time("AMQP at 20,000 messages/s", "latency-20k", figure, 1.0, 1.0) for figure in PERCENTILES),
    _rate("MQTT QoS 0 1→1", "mqtt", 1.7, MOSQUITTO, 7),
    _rate("MQTT QoS 0 1→10", "mqtt-fanout", 1.4, MOSQUITTO, 10),
    _rate("MQTT QoS 1, 100 in flight", "mqtt-qos1", 1.6, MOSQUITTO, 3.5),
    Row("MQTT QoS 1, 1,000 devices: CPU µs/message", "mqtt-devices", CPU, False, 0.7, MOSQUITTO, 0.75),
    Row("AMQP 1.0 1→1, settled", "amqp10", RATE, peer=RABBITMQ, beside=8),
    Row("AMQP 1.0 1→1, unsettled, 1,000 under way", "amqp10-unsettled", RATE, peer=RABBITMQ, beside=8),
    Row("stream protocol, 100 in a frame, in and out", "stream", RATE, peer=RABBITMQ, beside=1),
    Row("stream protocol: CPU µs/message", "stream", CPU, False, peer=RABBITMQ, beside=1),
    _rate("STOMP 1→1", "stomp", 1.6, RABBITMQ, 25),
    _rate("MQTT over WebSocket, a message a frame", "mqtt-websocket-single", 1.5),
    _rate("AMQP over TLS 1→1, 1 KiB", "tls-1k", 1.0, RABBITMQ, 3),
    Row("start to first accepted connection, s", "startup", "seconds to first connection", False, limit=0.30),
    Row("resident memory idle, MiB", "startup", "resident MiB", False, limit=42),
    Row("memory of an idle MQTT connection, bytes", "mqtt-idle", "resident bytes/connection", False, limit=2.5 * _KIB),
    Row("memory of a queued persistent 1 KiB message, bytes", "recovery", "resident bytes/message", False, limit=100),
    Row("recovery of that backlog after kill -9, s", "recovery", "recovery s", False, 0.5, RABBITMQ, 0.5),
)
"""The rows in the order in which they are shown."""


def peers_of(scenario: str) -> list[str]:
    """Who a scenario's rows are compared with."""
    return list(dict.fromkeys(row.peer for row in ROWS if row.scenario == scenario and row.peer))


def is_compared_with_before(scenario: str) -> bool:
    """Whether a scenario's rows are compared with an older Warren: not where that can't do what they need."""
    rows = [row for row in ROWS if row.scenario == scenario]
    return any(row.before is not None or row.limit is not None for row in rows)


SCENARIO_NAMES = tuple(dict.fromkeys(row.scenario for row in ROWS))
"""What has to be run for the table."""
