"""The plugin of pytest: a broker for tests, with nothing to install or start beside (docs/testing.md).

    def test_an_order_is_confirmed(warren_url, warren_broker):
        connection = pika.BlockingConnection(pika.URLParameters(warren_url))
        ...
        warren_broker.assert_routed("orders", "new", "billing", "shipping")

pytest imports this module wherever Warren is installed, so it imports nothing else of Warren, and no Trio, before a
test asks for a broker.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from warren.gateway.embedding import EmbeddedBroker
    from warren.testing.broker import WarrenBroker
    from warren.testing.process import BrokerProcess
    from warren.testing.rows import Leftovers, MqttAddress, StompAddress

NAME_CHARACTERS_MAX = 60
"""Of a test's name that are part of its virtual host's."""

LEAVE_S = 1.0
"""How long clients that have closed their sockets may take to be noticed."""

MARKER = (
    "warren(definitions=FILE, leftovers='warn'): a definitions file that the test's virtual host begins with, relative "
    "to the test's file; and what becomes of it when it leaves connections or unacknowledged messages (warn, fail)"
)

LEFTOVERS = ("warn", "fail", "ignore")

_log_began = pytest.StashKey[int]()
_broker_of = pytest.StashKey["WarrenBroker"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Lines of pytest.ini, or of [tool.pytest.ini_options]."""
    parser.addini("warren_definitions", "a definitions file that every test's virtual host begins with", default="")
    parser.addini("warren_config", "a configuration file of the broker for tests (warren.toml)", default="")
    parser.addini(
        "warren_leftovers",
        "what becomes of a test that leaves connections or unacknowledged messages: warn, fail or ignore",
        default="warn",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def warren_process(request: pytest.FixtureRequest) -> Iterator[BrokerProcess]:
    """The broker of the session, in a process of its own; each worker of pytest-xdist has one."""
    from warren.testing.process import BrokerProcess

    process = BrokerProcess(_named_file(request.config, "warren_config"))
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture
def warren_broker(request: pytest.FixtureRequest, warren_process: BrokerProcess) -> Iterator[WarrenBroker]:
    """The broker, with a virtual host that is this test's alone: looks, expectations and faults."""
    from warren.testing.broker import WarrenBroker

    node = request.node
    if not warren_process.running:
        warren_process.start()
    node.stash[_log_began] = warren_process.log_size()
    broker = WarrenBroker(warren_process, _vhost_name(node))
    node.stash[_broker_of] = broker
    try:
        definitions = _definitions(node)
        if definitions is not None:
            broker.import_definitions(definitions)
        yield broker
        left = _leftovers(broker)
    finally:
        broker.end()
    if left:
        _tell_of(left, _what_of_leftovers(node))


@pytest.fixture
def warren_url(warren_broker: WarrenBroker) -> str:
    """An AMQP URL of the test's own virtual host: amqp://guest:guest@127.0.0.1:PORT/VHOST."""
    return warren_broker.url


@pytest.fixture
def warren_mqtt(warren_broker: WarrenBroker) -> MqttAddress:
    """host, port, username and password for a client of MQTT."""
    return warren_broker.mqtt


@pytest.fixture
def warren_stomp(warren_broker: WarrenBroker) -> StompAddress:
    """host, port, login, passcode and vhost for a client of STOMP."""
    return warren_broker.stomp


@pytest.fixture
def warren_trio_test(request: pytest.FixtureRequest) -> None:
    """Fails a test that isn't one of Trio's, and asks for what only those can have."""
    if request.node.get_closest_marker("trio") is None:
        pytest.fail(
            "warren_embedded runs a broker in the test's own Trio program: mark the test with @pytest.mark.trio and "
            "write it as `async def` (pip install pytest-trio). A plain test, or one of asyncio, uses warren_url or "
            "warren_broker, whose broker is a process of its own",
            pytrace=False,
        )


@pytest.fixture
async def warren_embedded(warren_trio_test: None) -> AsyncIterator[EmbeddedBroker]:
    """A broker in the Trio program that the test is, whose time follows Trio's clock (`autojump_clock`)."""
    from warren.gateway import open_broker
    from warren.testing.misuse import blocking_calls_refused

    async with open_broker() as broker:
        with blocking_calls_refused(broker.listening):
            yield broker


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what the broker has logged meanwhile, and what is in it."""
    report = yield
    if report.failed and _broker_of in item.stash:
        _show(item, report)
    return report


def _show(item: pytest.Item, report: pytest.TestReport) -> None:
    from warren.testing.errors import WarrenError

    process = item.funcargs["warren_process"] if hasattr(item, "funcargs") else None
    if process is None or report.when != "call":
        return
    report.sections.append(("Warren's log", process.log_since(item.stash[_log_began])))
    try:
        report.sections.append(("Left in Warren", str(item.stash[_broker_of].leftovers())))
    except WarrenError as error:
        report.sections.append(("Warren", str(error)))


def _vhost_name(node: pytest.Item) -> str:
    """The test's name, as far as all protocols can say it: a colon ends it in MQTT's user names."""
    return re.sub(r"[^\w.-]+", "-", node.name, flags=re.ASCII).strip("-")[:NAME_CHARACTERS_MAX] or "test"


def _definitions(node: pytest.Item) -> Path | None:
    marker = node.get_closest_marker("warren")
    named = marker.kwargs.get("definitions") if marker is not None else None
    return _named_file(node.config, "warren_definitions") if named is None else Path(node.path).parent / str(named)


def _named_file(config: pytest.Config, name: str) -> Path | None:
    value = str(config.getini(name))
    if not value:
        return None
    return (config.inipath.parent if config.inipath is not None else config.rootpath) / value


def _what_of_leftovers(node: pytest.Item) -> str:
    marker = node.get_closest_marker("warren")
    chosen = str((marker.kwargs if marker is not None else {}).get("leftovers", node.config.getini("warren_leftovers")))
    if chosen not in LEFTOVERS:
        raise pytest.UsageError(f"warren_leftovers is {', '.join(LEFTOVERS)}, not {chosen}")
    return chosen


def _leftovers(broker: WarrenBroker) -> Leftovers | None:
    """What is left; sockets that were closed just now are given the time to be noticed.  None of a killed broker."""
    from warren.testing.broker import _until
    from warren.testing.errors import WarrenError

    try:
        return _until(broker.leftovers, lambda found: not found, LEAVE_S)
    except WarrenError:
        return None


def _tell_of(left: Leftovers, how: str) -> None:
    from warren.testing.errors import WarrenLeftovers

    text = f"the test has left something in its virtual host:\n{left}"
    if how == "fail":
        pytest.fail(text, pytrace=False)
    elif how == "warn":
        warnings.warn(WarrenLeftovers(text), stacklevel=1)
