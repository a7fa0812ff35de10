"""Fixtures of the scenario tests: a workbench that cleans up, and the table of known differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.differences import DIFFERENCES, FAILS, Difference
from tests.conformance.scenario import Workbench
from tests.support.brokers import Broker

T = TypeVar("T")


@pytest.fixture
def bench(broker: Broker) -> Iterator[Workbench]:
    """Connections and unique names that are closed and deleted after the test."""
    workbench = Workbench(broker.address)
    yield workbench
    workbench.clean_up()


@pytest.fixture
def channel(bench: Workbench) -> BlockingChannel:
    """A channel on a connection of its own."""
    return bench.channel()


@pytest.fixture
def expected(request: pytest.FixtureRequest, broker: Broker) -> Callable[[T], T]:
    """`expected(value)`: the value, or what this broker does instead (tests/conformance/differences.py)."""
    difference = difference_of(request.node)

    def expectation(value: T) -> T:
        if difference is None or broker.is_warren:
            return value
        assert difference.rabbitmq != value, "no difference: drop it from the table"
        actual = difference.rabbitmq
        return cast(T, actual(value) if callable(actual) else actual)

    return expectation


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that the table says RabbitMQ fails must fail there."""
    for item in items:
        if isinstance(item, pytest.Function) and _broker_of(item) == "rabbitmq":
            difference = difference_of(item)
            if difference is not None and difference.rabbitmq is FAILS:
                item.add_marker(pytest.mark.xfail(reason=difference.reason, strict=True))


def difference_of(item: pytest.Function) -> Difference | None:
    """The table's entry for this case, else the one for its whole test."""
    name = f"{item.path.name}::{item.originalname}"
    broker = _broker_of(item)
    case = item.callspec.id.removeprefix(broker).removesuffix(broker).strip("-") if broker else ""
    return DIFFERENCES.get(f"{name}[{case}]", DIFFERENCES.get(name))


def _broker_of(item: pytest.Function) -> str | None:
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("broker_process")
