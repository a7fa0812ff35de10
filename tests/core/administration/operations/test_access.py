"""Operations on users, permissions, limits, policies and parameters."""

from __future__ import annotations

import json
from typing import Final

import pytest

from tests.support.core_broker import core_broker
from warren.core.access.users import LoginRefused
from warren.core.administration import operations
from warren.core.broker import Broker
from warren.core.errors import NoSuchParameter, NoSuchUser, NotFound, PreconditionFailed
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, PolicyKind

KINDS: Final[tuple[PolicyKind, ...]] = (POLICY, OPERATOR_POLICY)


@pytest.fixture
def broker() -> Broker:
    return core_broker()


def test_users(broker: Broker) -> None:
    operations.users.add(broker, "ann", "secret", ["monitoring"])
    assert operations.users.check_password(broker, "ann", "secret").tags == {"monitoring"}
    operations.users.change_password(broker, "ann", "other")
    operations.users.set_tags(broker, "ann", ["administrator"])
    assert operations.users.check_password(broker, "ann", "other").tags == {"administrator"}
    operations.users.clear_password(broker, "ann")
    with pytest.raises(LoginRefused):
        operations.users.check_password(broker, "ann", "other")
    with pytest.raises(PreconditionFailed, match="already exists"):
        operations.users.add(broker, "ann", "x")
    operations.users.delete(broker, "ann")
    for operation in (
        lambda: operations.users.existing(broker, "ann"),
        lambda: operations.users.delete(broker, "ann"),
        lambda: operations.users.change_password(broker, "ann", "x"),
        lambda: operations.users.clear_password(broker, "ann"),
        lambda: operations.users.set_tags(broker, "ann", []),
        lambda: operations.permissions.set_permissions(broker, "ann", "/", "", "", ""),
        lambda: operations.permissions.clear_permissions(broker, "ann", "/"),
        lambda: operations.permissions.set_topic_permissions(broker, "ann", "/", "x", "", ""),
        lambda: operations.permissions.clear_topic_permissions(broker, "ann", "/"),
        lambda: operations.limits.of_user(broker, "ann"),
        lambda: operations.limits.set_of_user(broker, "ann", {}),
        lambda: operations.limits.clear_of_user(broker, "ann", "all"),
    ):
        with pytest.raises(NoSuchUser, match=r"^user 'ann' does not exist$"):
            operation()


def test_permissions(broker: Broker) -> None:
    operations.users.add(broker, "ann", "x")
    operations.permissions.set_permissions(broker, "ann", "/", "c", "w", "r")
    assert broker.users.permissions_of("ann") == [("/", ("c", "w", "r"))]
    operations.permissions.set_topic_permissions(broker, "ann", "/", "amq.topic", "w", "r")
    operations.permissions.set_topic_permissions(broker, "ann", "/", "other", "w", "r")
    assert operations.permissions.clear_topic_permissions(broker, "ann", "/", "other")
    assert broker.users.topic_permissions_of("ann") == [("/", "amq.topic", ("w", "r"))]
    assert operations.permissions.clear_topic_permissions(broker, "ann", "/")
    assert operations.permissions.clear_permissions(broker, "ann", "/")
    assert not operations.permissions.clear_permissions(broker, "ann", "/")
    with pytest.raises(PreconditionFailed):
        operations.permissions.set_permissions(broker, "ann", "/", "(", "", "")


def test_limits(broker: Broker) -> None:
    operations.limits.set_of_vhost(broker, "/", {"max-queues": 1})
    assert operations.limits.of_vhost(broker, "/") == {"max-queues": 1}
    operations.queues.declare(broker, "/", "one")
    with pytest.raises(PreconditionFailed, match="queue limit"):
        operations.queues.declare(broker, "/", "two")
    operations.limits.clear_of_vhost(broker, "/")
    assert operations.limits.of_vhost(broker, "/") == {}
    operations.limits.set_of_user(broker, "guest", {"max-channels": 5})
    operations.limits.set_of_user(broker, "guest", {"max-connections": 2})
    assert operations.limits.of_user(broker, "guest") == {"max-channels": 5, "max-connections": 2}
    operations.limits.clear_of_user(broker, "guest", "max-channels")
    assert operations.limits.of_user(broker, "guest") == {"max-connections": 2}
    operations.limits.clear_of_user(broker, "guest", operations.limits.ALL)
    assert operations.limits.of_user(broker, "guest") == {}
    with pytest.raises(NotFound, match="unknown limit 'max-fun'; the limits are max-connections, max-channels, "):
        operations.limits.clear_of_user(broker, "guest", "max-fun")
    with pytest.raises(PreconditionFailed):
        operations.limits.set_of_user(broker, "guest", {"max-queues": 1})


def test_policies(broker: Broker) -> None:
    queue, _ = operations.queues.declare(broker, "/", "q")
    for kind in KINDS:
        operations.policies.set_policy(broker, kind, "/", "p", "^q", {"max-length": 1}, priority=2, apply_to="queues")
    assert (queue.policy, queue.operator_policy) == ("p", "p")
    operations.policies.clear_policy(broker, POLICY, "/", "p")
    assert (queue.policy, queue.operator_policy) == (None, "p")
    with pytest.raises(NoSuchParameter, match="Parameter does not exist"):
        operations.policies.clear_policy(broker, POLICY, "/", "p")


def test_parameters(broker: Broker) -> None:
    operations.parameters.set_parameter(broker, "/", "vhost-limits", "limits", {"max-queues": 3})
    assert broker.vhosts["/"].limits == {"max-queues": 3}
    operations.parameters.clear_parameter(broker, "/", "vhost-limits", "limits")
    with pytest.raises(NoSuchParameter):
        operations.parameters.clear_parameter(broker, "/", "vhost-limits", "limits")
    operations.parameters.set_global(broker, "name", [1])
    assert broker.parameters.get_global("name") == [1]
    operations.parameters.clear_global(broker, "name")
    with pytest.raises(NoSuchParameter):
        operations.parameters.clear_global(broker, "name")


def test_an_unknown_virtual_host(broker: Broker) -> None:
    for operation in (
        lambda: operations.permissions.set_permissions(broker, "guest", "v", "", "", ""),
        lambda: operations.permissions.clear_permissions(broker, "guest", "v"),
        lambda: operations.permissions.set_topic_permissions(broker, "guest", "v", "x", "", ""),
        lambda: operations.permissions.clear_topic_permissions(broker, "guest", "v"),
        lambda: operations.limits.of_vhost(broker, "v"),
        lambda: operations.limits.set_of_vhost(broker, "v", {}),
        lambda: operations.limits.clear_of_vhost(broker, "v"),
        lambda: operations.policies.set_policy(broker, POLICY, "v", "p", "", {}),
        lambda: operations.policies.clear_policy(broker, POLICY, "v", "p"),
        lambda: operations.parameters.set_parameter(broker, "v", "vhost-limits", "limits", {}),
        lambda: operations.parameters.clear_parameter(broker, "v", "vhost-limits", "limits"),
        lambda: operations.definitions.import_document(broker, b"{}", "v", source="a test"),
        lambda: operations.definitions.export(broker, "v", product_name="", product_version="", rabbitmq_version=""),
        lambda: operations.delayed.cancel(broker, "v", "x", []),
    ):
        with pytest.raises(NotFound, match=r"^virtual host 'v' does not exist$"):
            operation()


def test_definitions_go_from_one_broker_to_another(broker: Broker) -> None:
    operations.queues.declare(broker, "/", "q")
    document = operations.definitions.export(
        broker, None, product_name="P", product_version="1", rabbitmq_version="4.0.0"
    ).finish()
    assert (document["product_name"], document["rabbitmq_version"]) == ("P", "4.0.0")
    other = core_broker()
    imported = operations.definitions.import_document(other, json.dumps(document), None, source="a test")
    assert imported.counts["queues"] == 1
    assert operations.queues.existing(other, "/", "q").durable
