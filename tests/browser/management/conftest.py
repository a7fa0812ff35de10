"""A broker with the management page, and a tab that is logged in."""

from __future__ import annotations

from collections.abc import Iterator

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.devtools import Browser
from tests.browser.management.operating import Api, log_in
from tests.browser.page import Page, new_page
from tests.support.warren_process import WarrenProcess, start_warren

LISTEN = ("amqp=127.0.0.1:0", "mqtt=127.0.0.1:0", "ws=127.0.0.1:0", "http=127.0.0.1:0")

OPTIONS = ("--set", "plugins=management,shovel,federation")


@pytest.fixture(scope="session")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarrenProcess]:
    """The broker of all tests of the page; what one of them makes has names of its own."""
    directory = tmp_path_factory.mktemp("managed")
    data = directory / "data"
    running = start_warren(directory, data_directory=data, listen=LISTEN, options=OPTIONS)
    try:
        yield running
    finally:
        running.stop()
    log = running.log.read_text()
    assert "Traceback" not in log, log


@pytest.fixture
def api(managed: WarrenProcess) -> Api:
    """The API beside the page."""
    return Api(f"http://127.0.0.1:{managed.addresses['http'][1]}/")


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """A tab; complaints on its console fail the test, but for those that it expects."""
    with new_page(chromium) as opened:
        yield opened
        assert opened.complaints() == []


@pytest.fixture
def page(tab: Page, api: Api) -> Page:
    """A tab where guest is logged in."""
    log_in(tab, api.base)
    return tab


@pytest.fixture
def amqp(managed: WarrenProcess) -> Iterator[BlockingChannel]:
    """A pika channel."""
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", managed.amqp_port)) as connection:
        yield connection.channel()
