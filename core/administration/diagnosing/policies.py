"""Faults of policies: those that never apply."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from warren.core.administration.diagnosing import catalogue
from warren.core.administration.diagnosing.finding import Place
from warren.core.policies.table import KINDS

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.exchanges.base import Exchange
    from warren.core.policies.policy import Policy, PolicyKind
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


def examine_policies(exam: Examination) -> Generator[None, None, None]:
    """Each policy of either kind: what it matches, and what it is in effect for."""
    for vhost in exam.vhosts:
        for kind in KINDS:
            policies = exam.broker.policies.in_vhost(kind, vhost.name)
            exam.count("policies", len(policies))
            if policies:
                yield from _examine(exam, vhost, kind, policies)


def _examine(
    exam: Examination, vhost: VirtualHost, kind: PolicyKind, policies: list[Policy]
) -> Generator[None, None, None]:
    over: dict[str, str] = {}
    in_effect: set[str] = set()
    targets: list[Queue | Exchange] = [*vhost.queues.values(), *vhost.exchanges.values()]
    for target in targets:
        if len(in_effect) == len(policies):
            return
        first: str | None = None
        for policy in exam.broker.policies.matching(kind, vhost.name, target):
            if first is None:
                first = policy.name
                in_effect.add(first)
            else:
                over.setdefault(policy.name, first)
        if exam.has_worked(5 * len(policies)):
            yield
    for policy in policies:
        sort = kind.replace("_", " ")
        where = (vhost.name, sort, policy.name)
        if policy.name in in_effect:
            continue
        if policy.name in over:
            detail = (
                f"'{over[policy.name]}' takes precedence of it wherever it matches; its priority is {policy.priority}"
            )
            exam.report(catalogue.SHADOWED_POLICY, Place(*where, detail))
        else:
            detail = f"pattern '{policy.pattern}', for {policy.apply_to}"
            exam.report(catalogue.POLICY_WITHOUT_MATCH, Place(*where, detail))
