from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.doctor.examined import Examined
from tests.support.ctl import ctl
from tests.support.warren_process import WarrenProcess, warren_process

LISTEN = ("amqp=127.0.0.1:0", "stomp=127.0.0.1:0", "mqtt=127.0.0.1:0")


@pytest.fixture(scope="module")
def running() -> Iterator[WarrenProcess]:
    with warren_process(listen=LISTEN) as broker:
        yield broker


@pytest.fixture
def examined(running: WarrenProcess, request: pytest.FixtureRequest) -> Iterator[Examined]:
    vhost = f"of {request.node.name}"
    ctl(running.data_directory, "add_vhost", vhost)
    ctl(running.data_directory, "set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
    yield Examined(running, vhost)
    ctl(running.data_directory, "delete_vhost", vhost)
