"""Administrators, who have no connection: the same rules, and whose permissions count."""

from __future__ import annotations

from functools import partial

import pytest

from tests.support.core_broker import core_broker, core_client
from warren.core.broker import Broker
from warren.core.declaring.actor import Administrator
from warren.core.declaring.bindings import bind, unbind
from warren.core.declaring.exchanges import declare_exchange, delete_exchange
from warren.core.declaring.queues import declare_queue, delete_queue, purge_queue
from warren.core.errors import AccessRefused, PreconditionFailed, ResourceLocked
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.queues.answer import at_once


@pytest.fixture
def broker() -> Broker:
    found = core_broker()
    found.users.add_user("ann", "secret")
    found.users.set_permissions("ann", "/", "^mine", "^mine", "^(mine|logs)")
    found.users.set_topic_permissions("ann", "/", "logs", "^a", "^a")
    return found


def test_the_owner_may_do_everything(broker: Broker) -> None:
    owner = Administrator(broker.vhosts["/"])
    declare_queue(core_client(broker), "locked", exclusive=True)
    declare_exchange(owner, "logs", "topic")
    bind(owner, "queue", "locked", "logs", "key", {}, EMPTY_TABLE_RAW)
    unbind(owner, "queue", "locked", "logs", "key", {})
    assert at_once(partial(purge_queue, owner, "locked")) == 0
    assert at_once(partial(delete_queue, owner, "locked")) == 0
    assert "locked" not in broker.vhosts["/"].queues
    with pytest.raises(AccessRefused, match="reserved prefix"):
        declare_queue(owner, "amq.mine")


def test_a_users_permissions_count(broker: Broker) -> None:
    ann = Administrator(broker.vhosts["/"], "ann")
    declare_queue(core_client(broker), "other")
    declare_queue(core_client(broker), "mine_locked", exclusive=True)
    declare_exchange(core_client(broker), "logs", "topic")
    declare_queue(ann, "mine", durable=True)
    bind(ann, "queue", "mine", "logs", "a.b", {}, EMPTY_TABLE_RAW)
    with pytest.raises(AccessRefused, match="topic 'b'"):
        bind(ann, "queue", "mine", "logs", "b", {}, EMPTY_TABLE_RAW)
    for refused in (
        lambda: declare_queue(ann, "other"),
        lambda: delete_queue(ann, "other"),
        lambda: purge_queue(ann, "other"),
        lambda: declare_exchange(ann, "other", "fanout"),
        lambda: delete_exchange(ann, "logs"),
        lambda: declare_queue(ann, "mine2", arguments={"x-dead-letter-exchange": "other"}),
    ):
        with pytest.raises(AccessRefused, match="refused for user 'ann'"):
            refused()
    for locked in (delete_queue, purge_queue, declare_queue):
        with pytest.raises(ResourceLocked):
            locked(ann, "mine_locked")


def test_nobody_without_a_connection_has_an_exclusive_queue(broker: Broker) -> None:
    with pytest.raises(PreconditionFailed, match="belongs to a connection"):
        declare_queue(Administrator(broker.vhosts["/"]), "q", exclusive=True)
