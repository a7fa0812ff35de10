"""What may run out, and what has gone wrong already."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tests.support.core_broker import core_broker
from warren.core.administration import operations
from warren.core.administration.diagnosing.finding import Finding
from warren.core.administration.diagnosing.surroundings import Surroundings
from warren.core.broker import Broker
from warren.core.queues.unavailable import Unavailable
from warren.gateway.facts import Resources
from warren.gateway.listening import listeners

DAY_MS = 86_400_000

ENOUGH = Resources(100, 1000, 10_000, 1000, 10, 65_536)


def found(broker: Broker, surroundings: Surroundings) -> dict[str, Finding]:
    report = operations.doctor.examine(broker, surroundings, patience_ms=0).finish()
    return {each.code: each for each in report.findings if not each.code.startswith("default-password")}


def test_a_healthy_process() -> None:
    surroundings = Surroundings(certificates={"server.pem": 31 * DAY_MS}, resources=ENOUGH)
    assert found(core_broker(), surroundings) == {}
    assert found(core_broker(), Surroundings(resources=replace(ENOUGH, disk_free=None, disk_free_limit=None))) == {}


@dataclass(frozen=True)
class Short:
    resources: Resources
    code: str
    detail: str


@pytest.mark.parametrize(
    "short",
    [
        Short(
            replace(ENOUGH, memory_used=900 * 2**20, memory_limit=2**30), "memory-near-limit", "900 MiB of 1,024 MiB"
        ),
        Short(replace(ENOUGH, disk_free=1100), "disk-near-limit", "0 MiB free; publishers are held back below 0 MiB"),
        Short(replace(ENOUGH, descriptors_used=60_000), "descriptors-near-limit", "60,000 of 65,536"),
        Short(replace(ENOUGH, descriptors_max=1024), "low-descriptor-limit", "10 of 1,024"),
    ],
    ids=lambda short: short.code,
)
def test_what_runs_out(short: Short) -> None:
    report = found(core_broker(), Surroundings(resources=short.resources))
    assert list(report) == [short.code]
    assert report[short.code].places[0].detail == short.detail


def test_an_alarm_is_told_once() -> None:
    broker = core_broker()
    broker.alarms.set("memory", True)
    report = found(broker, Surroundings(resources=replace(ENOUGH, memory_used=2000)))
    assert list(report) == ["alarm"]
    assert report["alarm"].places[0].name == "memory"


def test_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broker, "damage", lambda self: ["a row is damaged"])
    assert found(core_broker(), Surroundings())["damage"].places[0].detail == "a row is damaged"


def test_certificates() -> None:
    broker = core_broker()
    broker.advance(10 * DAY_MS)
    soon = {"old.pem": 9 * DAY_MS, "soon.pem": 20 * DAY_MS, "later.pem": 41 * DAY_MS}
    report = found(broker, Surroundings(certificates=soon))
    (finding,) = report.values()
    assert (finding.code, finding.severity.value) == ("certificate-expiring", "error")
    assert [each.name for each in finding.places] == ["old.pem", "soon.pem"]
    assert finding.places[1].detail == "valid until 1970-01-21 00:00 UTC, for 10 d"
    del soon["old.pem"]
    assert found(broker, Surroundings(certificates=soon))["certificate-expiring"].severity.value == "warning"


def test_listeners() -> None:
    listening = {
        "amqp": [("127.0.0.1", 5672), ("::1", 5672)],
        "amqps": [("0.0.0.0", 5671)],
        "metrics": [("10.0.0.1", 15_692)],
    }
    report = found(core_broker(), Surroundings(list(listeners(listening))))
    assert report["listener-without-tls"].severity.value == "notice"
    assert [each.name for each in report["listener-without-tls"].places] == ["http/prometheus on 10.0.0.1:15692"]
    listening["stomp"] = [("::", 61_613)]
    report = found(core_broker(), Surroundings(list(listeners(listening))))
    assert report["listener-without-tls"].severity.value == "warning"


def test_a_queue_without_its_type() -> None:
    broker = core_broker()
    vhost = broker.vhosts["/"]
    vhost.queues["lost"] = Unavailable(vhost, "lost", durable=True, arguments={"x-queue-type": "magic"})
    report = found(broker, Surroundings())
    assert [each.detail for each in report["unavailable-queue"].places] == ["type magic"]
