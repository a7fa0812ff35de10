"""The exchange x-federation-upstream: what passes, and what doesn't."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.core.exchanges.targets import Target, names
from tests.support.core_clients import table
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding
from warren.core.messages.field_table import Encodable, FieldValue
from warren.plugins.federation.upstream_exchange import UpstreamExchange

DOWNSTREAM: Mapping[str, Encodable] = {"x-max-hops": 2, "x-downstream-name": "edge", "x-downstream-vhost": "/"}


def gate(arguments: Mapping[str, Encodable] = DOWNSTREAM) -> Exchange:
    decoded, raw = table({**arguments, "x-internal-purpose": "federation"})
    UpstreamExchange.check_arguments(decoded)
    made = UpstreamExchange("gate", durable=True, internal=True, arguments=decoded, arguments_raw=raw)
    made.add(Binding("gate", Target("queue"), "ignored"))
    return made


def passes(made: Exchange, headers: Mapping[str, FieldValue] | None) -> bool:
    return names(made.targets("any.key", headers)) == ["queue"]


def by(cluster_name: str, vhost: str = "/") -> FieldValue:
    return {"uri": "amqp://x", "exchange": "x", "redelivered": False, "cluster-name": cluster_name, "vhost": vhost}


@pytest.mark.parametrize("headers", [None, {}, {"other": 1}, {"x-received-from": []}, {"x-received-from": "nonsense"}])
def test_what_was_published_here_passes(headers: Mapping[str, FieldValue] | None) -> None:
    assert passes(gate(), headers)


@pytest.mark.parametrize(("hops", "expected"), [(0, True), (1, True), (2, False), (3, False)])
def test_so_many_hops_and_no_more(hops: int, expected: bool) -> None:
    assert passes(gate(), {"x-received-from": [by(f"other-{number}") for number in range(hops)]}) is expected


def test_with_no_hops_at_all_only_what_has_come_over_no_link_passes() -> None:
    made = gate({**DOWNSTREAM, "x-max-hops": 1})
    assert passes(made, {})
    assert not passes(made, {"x-received-from": [by("other")]})


@pytest.mark.parametrize(
    ("broker", "expected"), [(by("edge"), False), (by("edge", "other"), True), (by("other"), True), ("edge", True)]
)
def test_nothing_goes_back_where_it_has_been(broker: FieldValue, expected: bool) -> None:
    assert passes(gate({**DOWNSTREAM, "x-max-hops": 10}), {"x-received-from": [by("first"), broker]}) is expected


def test_a_downstream_that_does_not_name_its_virtual_host_is_known_by_its_name() -> None:
    made = gate({"x-max-hops": 10, "x-downstream-name": "edge"})
    assert not passes(made, {"x-received-from": [by("edge", "any")]})
    assert passes(made, {"x-received-from": [by("other", "any")]})


def test_one_that_says_nothing_of_itself_is_bounded_by_hops_alone() -> None:
    made = gate({"x-max-hops": 2})
    assert passes(made, {"x-received-from": [by("edge")]})
    assert not passes(made, {"x-received-from": [by("edge"), by("edge")]})


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Argument x-max-hops missing"),
        ({"x-max-hops": "2"}, "Argument x-max-hops must be of type long, not longstr"),
        ({"x-max-hops": True}, "Argument x-max-hops must be of type long, not bool"),
    ],
)
def test_it_has_to_know_how_many(arguments: Mapping[str, Encodable], text: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        gate(arguments)
    assert caught.value.text.startswith(text)
