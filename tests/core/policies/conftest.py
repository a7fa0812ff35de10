"""A broker of core alone and a client in its virtual host `/`."""

from __future__ import annotations

import pytest

from core.broker import Broker
from core.client import Client
from core.vhost import VirtualHost
from tests.support.core_broker import core_broker, core_client


@pytest.fixture
def broker() -> Broker:
    return core_broker()


@pytest.fixture
def vhost(broker: Broker) -> VirtualHost:
    return broker.vhosts["/"]


@pytest.fixture
def client(broker: Broker) -> Client:
    return core_client(broker)
