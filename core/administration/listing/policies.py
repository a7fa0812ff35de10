"""Policies and operator policies, as list_policies shows them (spec F.3, F.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, named
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, Policy, PolicyKind

if TYPE_CHECKING:
    from warren.core.broker import Broker


class PolicyRow(Row):
    """One policy of either sort."""

    __slots__ = ("in_vhost", "policy")

    def __init__(self, in_vhost: str, policy: Policy) -> None:
        self.in_vhost = in_vhost
        self.policy = policy

    @Column
    def vhost(self) -> str:
        """The virtual host it is in."""
        return self.in_vhost

    @Column
    def name(self) -> str:
        """Its name."""
        return self.policy.name

    @Column
    def pattern(self) -> str:
        """The names it is for, as a regular expression."""
        return self.policy.pattern

    @named("apply-to")
    def apply_to(self) -> str:
        """queues, exchanges, all..."""
        return self.policy.apply_to

    @Column
    def definition(self) -> Mapping[str, object]:
        """What it sets."""
        return self.policy.definition

    @Column
    def priority(self) -> int:
        """Which one counts where several match: the highest."""
        return self.policy.priority


def _rows(kind: PolicyKind) -> Callable[[Broker, Vhosts], Iterator[PolicyRow]]:
    def rows(broker: Broker, vhosts: Vhosts) -> Iterator[PolicyRow]:
        for vhost in vhosts_among(broker, vhosts):
            for policy in broker.policies.in_vhost(kind, vhost.name):
                yield PolicyRow(vhost.name, policy)

    return rows


def _count(kind: PolicyKind) -> Callable[[Broker, Vhosts], int]:
    return lambda broker, vhosts: sum(
        len(broker.policies.in_vhost(kind, vhost.name)) for vhost in vhosts_among(broker, vhosts)
    )


_SHOWN = ("vhost", "name", "pattern", "apply-to", "definition", "priority")

POLICIES = Kind("policies", PolicyRow, _rows(POLICY), _count(POLICY), shown=_SHOWN)
OPERATOR_POLICIES = Kind("operator_policies", PolicyRow, _rows(OPERATOR_POLICY), _count(OPERATOR_POLICY), shown=_SHOWN)
