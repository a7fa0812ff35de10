"""A broker of core alone and a client in its virtual host `/`."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker, core_client
from warren.core.broker import Broker
from warren.core.clients.client import Client
from warren.core.routing.vhost import VirtualHost


@pytest.fixture
def broker() -> Broker:
    return core_broker()


@pytest.fixture
def vhost(broker: Broker) -> VirtualHost:
    return broker.vhosts["/"]


@pytest.fixture
def client(broker: Broker) -> Client:
    return core_client(broker)
