"""Operations that the management API needs beside those of `warren ctl`."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker
from warren.core.administration import operations
from warren.core.errors import NotFound, PreconditionFailed
from warren.core.storage.definitions.store import JSON


def test_a_user_is_put_as_definitions_have_it() -> None:
    broker = core_broker()
    user, made = operations.users.put(broker, "ann", {"password": "p", "tags": "management,monitoring"})
    assert made
    assert user.tags == {"management", "monitoring"}
    assert operations.users.check_password(broker, "ann", "p") == user
    broker.users.set_limits("ann", {"max-channels": 3})
    _, made = operations.users.put(broker, "ann", {"password": "q", "tags": []})
    assert not made
    assert operations.users.check_password(broker, "ann", "q").tags == frozenset()
    described: dict[str, JSON] = {"password_hash": user.password_hash, "tags": ["x"]}
    described["hashing_algorithm"] = user.hashing_algorithm
    user, made = operations.users.put(broker, "ann", described)
    assert not made
    assert operations.users.check_password(broker, "ann", "p").tags == {"x"}
    assert user.limits == {"max-channels": 3}, "they stay"
    refused: tuple[dict[str, JSON], ...] = (
        {"tags": 5},
        {},
        {"password": "", "tags": []},
        {"password_hash": "!", "tags": []},
    )
    for wrong in refused:
        with pytest.raises(PreconditionFailed):
            operations.users.put(broker, "bob", wrong)
    assert "bob" not in broker.users


def test_somebody_stays_an_administrator() -> None:
    broker = core_broker()
    operations.users.check_administrator_stays(broker, "nobody")
    operations.users.add(broker, "one", "p", ["administrator"])
    operations.users.add(broker, "two", "p", ["administrator"])
    operations.users.check_administrator_stays(broker, "one")
    others = {user.name for user in broker.users if "administrator" in user.tags} - {"one", "two"}
    with pytest.raises(PreconditionFailed, match="no administrator would be left without"):
        operations.users.check_administrator_stays(broker, "one", "two", *others)


def test_one_limit_of_a_virtual_host_is_lifted() -> None:
    broker = core_broker()
    operations.limits.set_of_vhost(broker, "/", {"max-queues": 1, "max-connections": 2})
    operations.limits.clear_of_vhost(broker, "/", "max-queues")
    assert operations.limits.of_vhost(broker, "/") == {"max-connections": 2}
    operations.limits.clear_of_vhost(broker, "/", "max-connections")
    assert operations.limits.of_vhost(broker, "/") == {}
    assert broker.parameters.find(component="vhost-limits") == []
    with pytest.raises(NotFound):
        operations.limits.clear_of_vhost(broker, "/", "max-connections")
    with pytest.raises(NotFound, match="unknown limit 'cats'"):
        operations.limits.clear_of_vhost(broker, "/", "cats")


def test_names_and_keys_that_amqp_cannot_write() -> None:
    broker = core_broker()
    long = "ü" * 128
    with pytest.raises(PreconditionFailed, match="has 256 bytes, at most 255"):
        operations.queues.declare(broker, "/", long)
    with pytest.raises(PreconditionFailed, match="has 256 bytes"):
        operations.exchanges.declare(broker, "/", long, "direct")
    operations.queues.declare(broker, "/", long[:-1])
    with pytest.raises(PreconditionFailed, match="the routing key"):
        operations.bindings.add(broker, "/", "amq.direct", "queue", long[:-1], long)
    operations.bindings.add(broker, "/", "amq.direct", "queue", long[:-1], long[:-1])


@pytest.mark.parametrize("slice_queues", [1, 3, 1000])
def test_totals_and_counts_of_some_virtual_hosts(slice_queues: int) -> None:
    broker = core_broker()
    operations.vhosts.add(broker, "other")
    for number in range(7):
        operations.queues.declare(broker, "other" if number % 2 else "/", f"q{number}")
    totals = operations.overview.totals
    assert totals(broker, slice_queues=slice_queues).finish()[:3] == (2, 0, 7)
    assert totals(broker, ["other"], slice_queues=slice_queues).finish()[:3] == (1, 0, 3)
    counts = operations.overview.message_counts
    everything = counts(broker).finish()
    assert everything == dict.fromkeys(everything, 0)
    broker.vhosts["/"].counts.publish = 5
    broker.vhosts["other"].counts.publish = 7
    assert counts(broker).finish()["publish"] == 12
    assert counts(broker, ["/"]).finish()["publish"] == 5
