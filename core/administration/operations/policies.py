"""Operations on policies and operator policies."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.core.administration.operations import queues, vhosts
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, Policy, PolicyKind, make_policy
from warren.core.policies.settings import asks_for_replicas, mirroring_warning

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.exchanges.base import Exchange
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON

__all__ = [
    "OPERATOR_POLICY",
    "POLICY",
    "asks_for_replicas",
    "clear_policy",
    "matching",
    "mirroring_warning",
    "set_policy",
]

_log = logging.getLogger("warren.policies")


def set_policy(
    broker: Broker,
    kind: PolicyKind,
    vhost: str,
    name: str,
    pattern: JSON,
    definition: JSON,
    *,
    priority: JSON = 0,
    apply_to: JSON = "all",
) -> Policy:
    """Add a policy or replace the one of this kind and name; it applies at once to all that it matches.

    Raises NotFound for an unknown virtual host, PreconditionFailed for what can't be a policy.
    """
    found = vhosts.existing(broker, vhost)
    policy = make_policy(kind, name, pattern, definition, priority, apply_to)
    broker.policies.set(found, policy)
    warning = mirroring_warning(policy.definition, in_cluster=broker.cluster is not None)
    if warning is not None:
        _log.warning("policy '%s' in vhost '%s': %s", name, vhost, warning)
    return policy


def clear_policy(broker: Broker, kind: PolicyKind, vhost: str, name: str) -> None:
    """Remove a policy, at once from all that it matched; NotFound, NoSuchParameter when there is none of this name."""
    broker.policies.clear(vhosts.existing(broker, vhost), kind, name)


def matching(broker: Broker, kind: PolicyKind, vhost: str, name: str, *, is_queue: bool = True) -> list[Policy]:
    """The policies that match a queue, or an exchange, the one in effect first; NotFound for one that isn't there."""
    found = vhosts.existing(broker, vhost)
    target: Queue | Exchange
    if is_queue:
        target = queues.existing(broker, vhost, name)
    else:
        target = found.exchange(name)
    return broker.policies.matching(kind, vhost, target)
