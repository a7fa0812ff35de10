"""Fixtures of the scenario tests: a workbench that cleans up, and the table of known differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.differences import DIFFERENCES, FAILS
from tests.conformance.scenario import Workbench
from tests.support.brokers import Broker
from tests.support.time_limit import time_limit

T = TypeVar("T")


TEST_TIME_LIMIT_S = 6.0
"""For one scenario; most take milliseconds."""


@pytest.fixture(autouse=True)
def bounded(broker_process: Broker) -> Iterator[None]:
    """Starting the broker isn't counted."""
    with time_limit(TEST_TIME_LIMIT_S):
        yield


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
    difference = DIFFERENCES.get(difference_key(request.node))

    def expectation(value: T) -> T:
        if difference is None or broker.is_warren:
            return value
        return difference.rabbitmq  # type: ignore[return-value]  # the table holds any kind of expectation

    return expectation


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that the table says RabbitMQ fails must fail there."""
    for item in items:
        if isinstance(item, pytest.Function) and _broker_of(item) == "rabbitmq":
            difference = DIFFERENCES.get(difference_key(item))
            if difference is not None and difference.rabbitmq is FAILS:
                item.add_marker(pytest.mark.xfail(reason=difference.reason, strict=True))


def difference_key(item: pytest.Function) -> str:
    """`test_file.py::test_name[case]`, without the broker's name among the parameters."""
    name = f"{item.path.name}::{item.originalname}"
    broker = _broker_of(item)
    if broker is None:
        return name
    rest = item.callspec.id.removeprefix(broker).removesuffix(broker).strip("-")
    return f"{name}[{rest}]" if rest else name


def _broker_of(item: pytest.Function) -> str | None:
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("broker_process")
