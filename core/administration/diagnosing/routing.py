"""Faults of exchanges and bindings, and of queues' ways on: what leads nowhere, and what a restart takes apart."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from warren.core.administration.diagnosing import catalogue
from warren.core.administration.diagnosing.finding import Place, Severity
from warren.core.administration.diagnosing.words import counted, setting
from warren.core.counters import DEAD_LETTER_LOST
from warren.core.routing.vhost import DEFAULT_EXCHANGE

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.exchanges.base import Exchange
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


def examine_routing(exam: Examination) -> Generator[None, None, None]:
    """Each exchange and its bindings, then each queue's dead letters."""
    expected = _dropped_as_expected(exam)
    for vhost in exam.vhosts:
        dropped = vhost.default_exchange_counts.dropped
        if dropped:
            published = vhost.default_exchange_counts.publish_in
            detail = f"{dropped:,} of {counted(published, 'message')} named a queue that isn't there"
            exam.report(catalogue.UNROUTABLE, Place(vhost.name, "exchange", "amq.default", detail))
        for exchange in list(vhost.exchanges.values()):
            exam.count("exchanges")
            _examine_exchange(exam, vhost, exchange, expected.get((vhost.name, exchange.name), 0))
            if exam.has_worked():
                yield
            if not exchange.durable:
                yield from _examine_bindings(exam, vhost, exchange)
        for queue in list(vhost.queues.values()):
            _examine_dead_letters(exam, vhost, queue)
            if exam.has_worked():
                yield


def _dropped_as_expected(exam: Examination) -> dict[tuple[str, str], int]:
    """How many messages to an exchange a component takes for normal to go nowhere, by virtual host and exchange."""
    found: dict[tuple[str, str], int] = {}
    for component in exam.broker.components.values():
        for vhost, exchange, count in component.dropped_as_expected():
            found[vhost, exchange] = found.get((vhost, exchange), 0) + count
    return found


def _examine_exchange(exam: Examination, vhost: VirtualHost, exchange: Exchange, expected: int) -> None:
    counts = exchange.counts
    if counts.dropped > expected:
        published = counted(counts.publish_in, "message")
        bindings = counted(len(exchange.bindings), "binding")
        detail = f"{counts.dropped - expected:,} of {published} found no queue; it has {bindings}"
        exam.report(catalogue.UNROUTABLE, Place(vhost.name, "exchange", exchange.name, detail))
    alternate = exchange.alternate
    if alternate and alternate not in vhost.exchanges:
        detail = f"alternate exchange '{alternate}'"
        place = Place(vhost.name, "exchange", exchange.name, detail, _declare(vhost, alternate))
        exam.report(catalogue.NO_ALTERNATE_EXCHANGE, place)


def _examine_bindings(exam: Examination, vhost: VirtualHost, exchange: Exchange) -> Generator[None, None, None]:
    found: dict[str, int] = {}
    for binding in list(exchange.bindings):
        target = binding.target
        if target.kind == "queue" and target.durable:
            found[target.name] = found.get(target.name, 0) + 1
        if exam.has_worked():
            yield
    for name, count in found.items():
        detail = f"{counted(count, 'binding')} from exchange '{exchange.name}', which isn't durable"
        exam.report(catalogue.TRANSIENT_BINDING, Place(vhost.name, "queue", name, detail))


def _examine_dead_letters(exam: Examination, vhost: VirtualHost, queue: Queue) -> None:
    name = setting(queue, "dead-letter-exchange")
    if not isinstance(name, str):
        return
    counts = queue.message_counts
    lost = sum(count for each, count in counts.items() if each.startswith(DEAD_LETTER_LOST))
    told = f"; {counted(lost, 'dead letter')} lost so far" if lost else ""
    severity = Severity.ERROR if lost else None
    place = (vhost.name, "queue", queue.name)
    if name != DEFAULT_EXCHANGE and name not in vhost.exchanges:
        found = Place(*place, f"dead letter exchange '{name}'{told}", _declare(vhost, name))
        exam.report(catalogue.NO_DEAD_LETTER_EXCHANGE, found, severity)
        return
    key = setting(queue, "dead-letter-routing-key")
    where = _leads_nowhere(vhost, name, key)
    if where or lost:
        exam.report(catalogue.LOST_DEAD_LETTERS, Place(*place, f"{where or _shown(name)}{told}"), severity)


def _shown(exchange: str) -> str:
    return f"dead letter exchange '{exchange or 'amq.default'}'"


def _leads_nowhere(vhost: VirtualHost, name: str, key: object) -> str:
    """Why no dead letter can arrive, whatever its key is; empty when one may."""
    if name == DEFAULT_EXCHANGE:
        gone = isinstance(key, str) and key not in vhost.queues
        return f"the default exchange, with the key '{key}', which is no queue" if gone else ""
    exchange = vhost.exchanges[name]
    if exchange.bindings or exchange.alternate or exchange.history or exchange.observes:
        return ""
    return f"{_shown(name)}, which has no bindings"


def _declare(vhost: VirtualHost, name: str) -> str:
    """No word declares exchanges: it is the client's first step, or the API's."""
    where = "" if vhost.name == "/" else f" in '{vhost.name}'"
    return f"AMQP{where}: channel.exchange_declare({name!r}, 'fanout', durable=True)"
