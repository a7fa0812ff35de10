"""The page below a path of the operator's: it asks, links and embeds there alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.management.conftest import LISTEN
from tests.browser.management.operating import Api, enter, log_in
from tests.browser.page import Page
from tests.support.warren_process import start_warren

OPTIONS = ("--set", "management.path_prefix=/brokers/mq")


@pytest.fixture
def below(tmp_path: Path) -> Iterator[Api]:
    """The API of a broker whose page is below that path."""
    running = start_warren(tmp_path, data_directory=tmp_path / "data", listen=LISTEN, options=OPTIONS)
    try:
        yield Api(f"http://127.0.0.1:{running.addresses['http'][1]}/brokers/mq/")
    finally:
        running.stop()


def test_a_login_some_rooms_and_the_other_page(tab: Page, below: Api) -> None:
    below.put("/queues/%2F/orders")
    log_in(tab, below.base.removesuffix("/"))
    assert tab.evaluate("location.pathname") == "/brokers/mq/"
    enter(tab, "queues")
    tab.wait_for_text("#main", "orders")
    enter(tab, "queues", "/", "orders")
    tab.wait_for_text("#main h1", "orders")
    enter(tab, "live")
    inner = "document.querySelector('iframe')?.contentDocument"
    tab.wait_for(f"{inner}?.querySelector('#connection [name=url]')?.value")
    assert tab.evaluate(f"{inner}.location.pathname") == "/brokers/mq/live/"
    asked = tab.evaluate("performance.getEntriesByType('resource').map(each => new URL(each.name).pathname)")
    assert isinstance(asked, list)
    assert asked
    assert [each for each in asked if not each.startswith("/brokers/mq/")] == []
