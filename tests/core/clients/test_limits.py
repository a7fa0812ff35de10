"""Limits on connections, channels, queues, exchanges and virtual hosts, with the texts of A.3.7, A.4 and A.5."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker, core_client
from warren.core.administration.parameters import clear_parameter, set_parameter
from warren.core.broker import Broker
from warren.core.clients.client import Client
from warren.core.clients.limits import USER_LIMITS, BrokerLimits, check_limits
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue, delete_queue, end_client
from warren.core.errors import BrokerError, NotAllowed, PreconditionFailed
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON


@pytest.fixture
def broker() -> Broker:
    return core_broker()


def limit_vhost(broker: Broker, vhost: str = "/", **limits: int) -> None:
    value: JSON = {name.replace("_", "-"): limit for name, limit in limits.items()}
    set_parameter(broker, vhost, "vhost-limits", "limits", value)


def refusal(error: pytest.ExceptionInfo[BrokerError]) -> tuple[int, str]:
    return error.value.code, error.value.text


def test_connections_of_a_virtual_host(broker: Broker) -> None:
    limit_vhost(broker, max_connections=2)
    clients = [core_client(broker), core_client(broker)]
    with pytest.raises(NotAllowed) as caught:
        core_client(broker)
    text = "access to vhost '/' refused for user 'guest': connection limit (2) is reached"
    assert refusal(caught) == (530, text)
    end_client(clients[0])
    end_client(clients[0])
    core_client(broker)
    with pytest.raises(NotAllowed):
        core_client(broker)


def test_no_connections_at_all_and_no_limit_again(broker: Broker) -> None:
    limit_vhost(broker, max_connections=0)
    with pytest.raises(NotAllowed, match="connection limit \\(0\\) is reached"):
        core_client(broker)
    limit_vhost(broker, max_connections=-1)
    core_client(broker)
    limit_vhost(broker, max_connections=0)
    clear_parameter(broker, "/", "vhost-limits", "limits")
    core_client(broker)


def test_limits_of_one_virtual_host_are_not_those_of_another(broker: Broker) -> None:
    broker.add_vhost("v", {})
    broker.users.set_permissions("guest", "v", "", "", "")
    limit_vhost(broker, max_connections=0, max_queues=0)
    core_client(broker, vhost="v")


def test_connections_of_a_user(broker: Broker) -> None:
    broker.users.set_limits("guest", {"max-connections": 1})
    first = core_client(broker)
    with pytest.raises(NotAllowed) as caught:
        core_client(broker)
    assert refusal(caught) == (530, "connection refused for user 'guest': user connection limit (1) is reached")
    end_client(first)
    core_client(broker)


def test_the_limit_of_the_virtual_host_is_checked_before_access(broker: Broker) -> None:
    limit_vhost(broker, max_connections=0)
    broker.users.add_user("eve", "x")
    with pytest.raises(NotAllowed, match="connection limit"):
        core_client(broker, "eve")


def test_connections_of_the_broker() -> None:
    broker = core_broker(limits=BrokerLimits(connections=1))
    client = core_client(broker)
    with pytest.raises(NotAllowed) as caught:
        core_client(broker)
    assert refusal(caught) == (530, "connection refused: node connection limit (1) is reached")
    end_client(client)
    core_client(broker)


def test_channels_of_a_user(broker: Broker) -> None:
    broker.users.set_limits("guest", {"max-channels": 2})
    first, second = core_client(broker), core_client(broker)
    first.open_channel()
    second.open_channel()
    with pytest.raises(NotAllowed) as caught:
        first.open_channel()
    text = "number of channels opened for user 'guest' has reached the maximum allowed user limit of (2)"
    assert refusal(caught) == (530, text)
    second.close_channel()
    first.open_channel()
    end_client(first)
    second.open_channel()
    second.open_channel()


def test_channels_of_the_broker() -> None:
    broker = core_broker(limits=BrokerLimits(channels=1))
    client: Client = core_client(broker)
    client.open_channel()
    with pytest.raises(NotAllowed, match=r"on node 'warren' has reached the maximum allowed limit of \(1\)"):
        client.open_channel()
    client.close_channel()
    client.close_channel()
    client.open_channel()
    with pytest.raises(NotAllowed):
        client.open_channel()


def test_queues_of_a_virtual_host(broker: Broker) -> None:
    client = core_client(broker)
    declare_queue(client, "a")
    limit_vhost(broker, max_queues=2)
    declare_queue(client, "b", exclusive=True)
    with pytest.raises(PreconditionFailed) as caught:
        declare_queue(client, "c")
    assert refusal(caught) == (406, "cannot declare queue 'c': queue limit in vhost '/' (2) is reached")
    declare_queue(client, "a")
    delete_queue(client, "a")
    declare_queue(client, "c")


def test_queues_and_exchanges_and_virtual_hosts_of_the_broker() -> None:
    broker = core_broker(limits=BrokerLimits(queues=1, exchanges=7, vhosts=1))
    client = core_client(broker)
    declare_queue(client, "a")
    with pytest.raises(PreconditionFailed, match="cannot declare queue 'b': queue limit in cluster \\(1\\) is reached"):
        declare_queue(client, "b")
    declare_exchange(client, "x", "direct")
    with pytest.raises(PreconditionFailed, match="cannot declare exchange 'y' in vhost '/': exchange limit of 7"):
        declare_exchange(client, "y", "direct")
    declare_exchange(client, "x", "direct")
    with pytest.raises(PreconditionFailed, match="cannot add vhost 'v': virtual host limit of 1 is reached"):
        broker.add_vhost("v", {})


def test_limits_survive_a_restart() -> None:
    store = MemoryDefinitionStore()
    first = core_broker(store)
    limit_vhost(first, max_connections=0)
    first.users.set_limits("guest", {"max-channels": 0})
    second = core_broker(store)
    assert second.vhosts["/"].limits == {"max-connections": 0}
    assert second.users["guest"].limits == {"max-channels": 0}
    with pytest.raises(NotAllowed):
        core_client(second)


REFUSED: list[tuple[JSON, str]] = [
    ({"max-frobs": 1}, "Unrecognised terms 'max-frobs' in user-limits; the limits are max-connections, max-channels"),
    ({"max-queues": 1}, "Unrecognised terms 'max-queues'"),
    ({"max-channels": "1"}, "max-channels should be a number"),
    ({"max-channels": 1.0}, "max-channels should be a number"),
    ({"max-channels": True}, "max-channels should be a number"),
    ({"max-channels": 2**63}, "max-channels should be a number"),
    ([], "user-limits must be a JSON object"),
    (None, "user-limits must be a JSON object"),
]


@pytest.mark.parametrize(("value", "text"), REFUSED)
def test_what_is_no_limit(value: JSON, text: str) -> None:
    with pytest.raises(PreconditionFailed, match=text):
        check_limits(value, USER_LIMITS, "user-limits")


def test_a_refused_limit_changes_nothing(broker: Broker) -> None:
    limit_vhost(broker, max_connections=5)
    for value in ({"max-connections": "x"}, {"max-channels": 1}):
        with pytest.raises(PreconditionFailed):
            set_parameter(broker, "/", "vhost-limits", "limits", value)
    with pytest.raises(PreconditionFailed, match="the only parameter of component vhost-limits is 'limits'"):
        set_parameter(broker, "/", "vhost-limits", "limit", {})
    assert broker.vhosts["/"].limits == {"max-connections": 5}
