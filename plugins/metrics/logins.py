"""Logins that were tried (core/clients/login_attempts.py), under RabbitMQ's names."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.plugins.metrics.encoding import TOTAL, Family, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.broker import Broker
    from warren.core.clients.login_attempts import Tried

ATTEMPTS: Final = "auth_attempts"
BY_SOURCE: Final = "auth_attempts_detailed"

DETAILED_FAMILY: Final = "auth_attempt_metrics"
SOURCES_FAMILY: Final = "auth_attempt_detailed_metrics"
"""What `/metrics/detailed?family=` calls them."""

SOURCES_PER_SLICE: Final = 300
"""Looked at before others have a turn: a microsecond each."""


def login_families(broker: Broker, prefix: str) -> Iterator[Family]:
    """Logins since the start, by protocol."""
    found = sorted(broker.login_attempts.by_protocol.items())
    yield from _families(prefix, ATTEMPTS, [({"protocol": protocol}, tried) for protocol, tried in found])


def source_families(broker: Broker, prefix: str) -> Iterator[Family | None]:
    """The same by who tried, of the sources that are kept; none unless these are tracked."""
    counted: list[tuple[dict[str, str], Tried]] = []
    sources = iter(list(broker.login_attempts.by_source.items()))
    while some := list(islice(sources, SOURCES_PER_SLICE)):
        for source, tried in some:
            labels = {"protocol": source.protocol, "remote_address": source.peer_host, "username": source.user}
            counted.append((labels, tried))
        yield None
    yield from _families(prefix, BY_SOURCE, counted)


def _families(prefix: str, name: str, counted: list[tuple[dict[str, str], Tried]]) -> Iterator[Family]:
    yield Family(
        f"{prefix}{name}{TOTAL}", "counter", "Logins that were tried.", [Series(labels, t.all) for labels, t in counted]
    )
    yield Family(
        f"{prefix}{name}_succeeded{TOTAL}",
        "counter",
        "Logins that succeeded.",
        [Series(labels, tried.succeeded) for labels, tried in counted],
    )
    yield Family(
        f"{prefix}{name}_failed{TOTAL}",
        "counter",
        "Logins that failed.",
        [Series(labels, tried.failed) for labels, tried in counted],
    )
