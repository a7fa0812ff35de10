"""docs/headers.md names every header that the broker reads, and each row of its table has a test."""

from __future__ import annotations

import ast
import re
from typing import Final

from tests.adapters.test_headers_of_strangers import ROWS
from tests.docs.pages import ROOT
from warren.core.messages.internal_headers import internal_headers
from warren.core.queues.classic.rules import RULE_ARGUMENTS
from warren.core.queues.deaths import DEATH_HEADERS

PAGE: Final = ROOT / "docs" / "headers.md"

NO_HEADERS: Final = {
    *(argument.name for argument in RULE_ARGUMENTS if argument.name != "x-deduplication-header"),
    *("x-cancel-on-ha-failover", "x-correlation", "x-delayed-type", "x-initial-cluster-size", "x-match"),
    *("x-max-age", "x-name-prefix", "x-priority", "x-queue-name", "x-queue-type", "x-recent-history-length"),
    *("x-filter", "x-stream-filter", "x-stream-filter-size-bytes", "x-stream-match-unfiltered"),
    *("x-stream-max-segment-size-bytes", "x-stream-offset", "x-stream-partition-order", "x-super-stream"),
    *("x-consistent-hash", "x-delayed-message", "x-local-random", "x-modulus-hash", "x-random", "x-recent-history"),
    *("x-federation-upstream", "x-jms-topic", "x-forwarded-for"),
    *("x-basic-type", "x-cc", "x-exchange", "x-opt-deaths", "x-routing-key"),
    *("x-deferred", "x-opt-delivery-delay", "x-opt-delivery-time", "x-cluster"),
}
"""Arguments and exchange types, HTTP's own, annotations of AMQP 1.0, a kind of rows: the source names them alike."""

HEADER: Final = re.compile(r"x-[a-z0-9]+(-[a-z0-9]+)*")


def on_page() -> set[str]:
    """The headers in the first column of the first table."""
    table = PAGE.read_text("utf-8").partition("|---")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def in_source() -> set[str]:
    """The texts in the source of core and adapters that could be the name of a header."""
    found: set[str] = set()
    for path in [*(ROOT / "core").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and HEADER.fullmatch(node.value):
                found.add(node.value)
    return found


def test_each_row_has_a_test() -> None:
    assert on_page() == ROWS


def test_every_header_of_the_brokers_own_is_there() -> None:
    assert {*internal_headers(), *DEATH_HEADERS} <= on_page()


def test_so_is_every_other_that_the_source_names() -> None:
    assert in_source() - NO_HEADERS - on_page() == set()
