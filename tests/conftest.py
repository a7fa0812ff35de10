"""Which brokers the scenario tests run against, and the one process of each that a test session shares.

The same tests run against Warren and against the installed RabbitMQ, which is how the tests themselves are
checked: `--broker both`, the default where RabbitMQ is installed.  `--broker warren` and `--broker rabbitmq`
pick one.

With `both`, the scenarios of tests/conformance run against a cluster, too, with their clients on a node that has none
of the durable queues; `--broker cluster` runs them there alone, and `--broker replicated` where a policy has classic
queues replicated.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every run, and no limit of time that a loaded machine could miss.
settings.register_profile(
    "warren",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("warren")

pytest.register_assert_rewrite("tests.conformance.scenario", "tests.support.amqp_wire")

from tests.form import runs_once  # noqa: E402  # rewriting comes first
from tests.support import distribution, limits, logs  # noqa: E402
from tests.support.brokers import BROKER_NAMES, CLUSTER, CLUSTERS, Broker, run_broker  # noqa: E402
from tests.support.rabbitmq import rabbitmq_available  # noqa: E402
from warren.forms import why_interpreted  # noqa: E402
from warren.gateway.version import form, form_and_reason  # noqa: E402


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """For `-n auto`.  It is asked before plugins are configured, so that it stands here."""
    return distribution.workers()


def pytest_configure(config: pytest.Config) -> None:
    distribution.register(config)
    limits.register(config)
    config.addinivalue_line(
        "markers",
        "interpreted(why): looks inside as compiled modules don't allow, so it runs where they are interpreted",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    expected = session.config.getoption("--form")
    if expected and expected != form():
        raise pytest.UsageError(f"--form {expected}, but Warren's modules are {form_and_reason()}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if why_interpreted():
        terminalreporter.write_line(f"Warren's modules are {form_and_reason()}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--other-form"):
        left_out = [item for item in items if runs_once(item.path)]
        items[:] = [item for item in items if not runs_once(item.path)]
        config.hook.pytest_deselected(items=left_out)
    if form() == "interpreted":
        return
    for item in items:
        marker = item.get_closest_marker("interpreted")
        if marker is not None:
            item.add_marker(pytest.mark.skip(reason=f"modules are compiled, and this {marker.args[0]}"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        choices=[*BROKER_NAMES, *CLUSTERS, "both"],
        default="both" if rabbitmq_available() else "warren",
        help="what the scenario tests talk to",
    )
    parser.addoption(
        "--form", choices=["compiled", "interpreted"], help="fail unless Warren's modules are in this form (setup.py)"
    )
    parser.addoption(
        "--other-form",
        action="store_true",
        help="leave out what need not run in both forms (tests/form.py)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "broker_process" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--broker")
        names = list(BROKER_NAMES) if chosen == "both" else [chosen]
        if chosen == "both" and metafunc.definition.path.parent.name == "conformance":
            names.append(CLUSTER)
        metafunc.parametrize("broker_process", names, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed or logged goes from one process to another, where names that aren't UTF-8 can't."""
    report = yield
    report.sections = [(name, _shown(text)) for name, text in report.sections]
    if report.failed and (text := _shown(report.longreprtext)) != report.longreprtext:
        report.longrepr = text
    return report


def _shown(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


@pytest.fixture(autouse=True)
def the_log_is_left_as_it_was() -> Iterator[None]:
    """Else tests after this one would see less in the log than they look for, in one order and not in another."""
    yield
    assert logs.state() == logs.AS_IMPORTED, "what configures the log puts it back (tests/support/logs.py)"


@pytest.fixture(scope="session")
def session_broker() -> Iterator[Callable[[str], Broker]]:
    """The session's broker of a name, started when it is first asked for and ended with the session.

    pytest ends a fixture whenever its parameter changes, which in a run that goes file by file is twice a file, and a
    start of RabbitMQ takes five seconds of processor time: so the processes belong to a fixture without parameters.
    """
    with ExitStack() as stack:

        @cache
        def started(name: str) -> Broker:
            broker = stack.enter_context(run_broker(name))
            for each in (broker, *broker.others):
                limits.shared(each.process_id)
            return broker

        yield started


@pytest.fixture(scope="session")
def broker_process(request: pytest.FixtureRequest, session_broker: Callable[[str], Broker]) -> Iterator[Broker]:
    """The session's broker; when tests go on with another, it must hold no queue that one of them left behind."""
    broker = session_broker(request.param)
    yield broker
    assert broker.queue_names() == [], "queues left behind by tests"


@pytest.fixture
def broker(broker_process: Broker) -> Iterator[Broker]:
    """The broker under test.  A traceback in its log fails the test during which it was written."""
    log_lengths = [(each, each.log_bytes()) for each in (broker_process, *broker_process.others)]
    yield broker_process
    for each, log_length in log_lengths:
        written = each.read_log(log_length)
        assert "Traceback" not in written, written


@pytest.fixture
def broker_address(broker: Broker) -> tuple[str, int]:
    """Where the broker under test listens for AMQP."""
    return broker.address
