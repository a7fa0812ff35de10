"""All policies of a broker, and which of them each queue and exchange is under.

Theory of operation
-------------------
Of each kind, user and operator, at most one policy applies to an object: the one with the highest priority that
matches, and among equals the first by name, so that restarts and the order of setting don't matter.  `_ranked` keeps
the policies of a virtual host in that order; finding the one that applies is a walk to the first match.

What applies is found when an object comes into being (`apply_to`) and again for all objects of a virtual host when a
policy there changes (`apply`), some in each turn where they are many.  An object is told only if the outcome differs
from what it was told last; the virtual host forgets its cached routes then, since routing depends on alternate
exchanges and on queues that refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.component import Component
from warren.core.errors import NoSuchParameter
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, Policy, PolicyKind, policy_from_row
from warren.core.policies.settings import merge

if TYPE_CHECKING:
    from warren.core.cluster.agreements import Agreements
    from warren.core.exchanges.base import Exchange
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON, DefinitionStore

KINDS: tuple[PolicyKind, PolicyKind] = (POLICY, OPERATOR_POLICY)

OBJECTS_AT_ONCE: Final = 200
"""Queues and exchanges that policies are matched with in one turn: up to 30 microseconds each where they change."""

_NOTHING: Mapping[str, JSON] = {}


class PolicyTable(Component):
    """The policies of all virtual hosts, kept in `store`.

    agreements: of the cluster that they belong to, if there is one (core.cluster.agreements).
    """

    __slots__ = ("_policies", "_ranked", "_store", "agreements")

    def __init__(self, store: DefinitionStore) -> None:
        self._store = store
        self.agreements: Agreements | None = None
        self._policies: dict[tuple[PolicyKind, str], dict[str, Policy]] = {}
        self._ranked: dict[tuple[PolicyKind, str], tuple[Policy, ...]] = {}

    def restore(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> bool:
        """Take a row of the definition store if its kind is ours, else return False.

        Applies it to nothing yet.  Raises PreconditionFailed, KeyError or TypeError for a row that is no policy.
        """
        for known in KINDS:
            if kind == known:
                self._put(vhost, policy_from_row(known, name, value))
                return True
        return False

    def set(self, vhost: VirtualHost, policy: Policy) -> None:
        """Add a policy or replace the one of its kind and name, and apply it at once to all that it matches."""
        self.set_all(vhost, [policy])

    def set_all(self, vhost: VirtualHost, policies: Iterable[Policy]) -> None:
        """The same for several at once."""
        policies = list(policies)
        if self.agreements is not None:
            rows = [(policy.kind, vhost.name, policy.name, policy.value()) for policy in policies]
            if self.agreements.begin(("policies", repr(rows))):
                return
            self.agreements.ask(*rows)
        self._store.check_room(sum(len(str(policy.value())) for policy in policies))
        for policy in policies:
            self._put(vhost.name, policy)
            self._store.put(policy.kind, vhost.name, policy.name, policy.value())
        self.apply(vhost)

    def clear(self, vhost: VirtualHost, kind: PolicyKind, name: str) -> None:
        """Remove a policy, at once from all that it matched; NotFound when there is none of this name."""
        if self.agreements is not None and self.agreements.begin(("no policy", vhost.name, kind, name)):
            return
        policies = self._policies.get((kind, vhost.name), {})
        if name not in policies:
            text = f"{kind.replace('_', ' ')} '{name}' in vhost '{vhost.name}'"
            raise NoSuchParameter(f"Parameter does not exist: there is no {text}")
        if self.agreements is not None:
            self.agreements.ask((kind, vhost.name, name, None))
        del policies[name]
        self._ranked.pop((kind, vhost.name), None)
        self._store.delete(kind, vhost.name, name)
        self.apply(vhost)

    def in_vhost(self, kind: PolicyKind, vhost: str) -> list[Policy]:
        """The policies of a virtual host by priority, the highest last, as rabbitmqctl lists them; then by name."""
        found = self._policies.get((kind, vhost), {}).values()
        return sorted(found, key=lambda policy: (policy.priority, policy.name))

    def matching(self, kind: PolicyKind, vhost: str, target: Queue | Exchange) -> list[Policy]:
        """Those that match a queue or exchange; the first one is in effect."""
        return [policy for policy in self._in_order(kind, vhost) if policy.matches(target)]

    def for_queue(self, vhost: str, name: str, type_name: str) -> Mapping[str, JSON]:
        """What the policies of a virtual host come to for a queue of this name and type that isn't there yet."""
        user = self._match_new(POLICY, vhost, name, type_name)
        return _effective(user, self._match_new(OPERATOR_POLICY, vhost, name, type_name))

    def foreseen(self, more: Iterable[tuple[str, Policy]]) -> PolicyTable:
        """The policies with these beside them, by virtual host: to look at, and not to be changed."""
        found = PolicyTable(self._store)
        found._policies = {key: dict(policies) for key, policies in self._policies.items()}
        for vhost, policy in more:
            found._put(vhost, policy)
        return found

    def forget_vhost(self, vhost: str) -> None:
        """A virtual host is being deleted; its rows go with all its others."""
        for kind in KINDS:
            self._policies.pop((kind, vhost), None)
            self._ranked.pop((kind, vhost), None)

    def apply(self, vhost: VirtualHost) -> None:
        """See to it that every object of the virtual host is under the policies that match it now.

        Where there are more than `OBJECTS_AT_ONCE`, the rest is seen to in the turns that follow (core.chores).
        """
        targets = self._targets(vhost)
        self._apply_to_some(vhost, targets)
        if targets:
            vhost.broker.chores.add(partial(self._apply_to_some, vhost, targets))

    def apply_at_start(self, vhost: VirtualHost) -> None:
        """The same for all of them, before anybody is served."""
        targets = self._targets(vhost)
        while self._apply_to_some(vhost, targets):
            pass

    def _targets(self, vhost: VirtualHost) -> list[Queue | Exchange]:
        """All that policies are for, the first one last."""
        targets: list[Queue | Exchange] = [*vhost.exchanges.values(), *vhost.queues.values()]
        targets.reverse()
        return targets

    def _apply_to_some(self, vhost: VirtualHost, targets: list[Queue | Exchange]) -> bool:
        """Take some away from the end; False when those were the last."""
        some = targets[: -OBJECTS_AT_ONCE - 1 : -1]
        del targets[-OBJECTS_AT_ONCE:]
        changed = False
        for target in some:
            found = vhost.queues.get(target.name) if target.kind == "queue" else vhost.exchanges.get(target.name)
            if found is target:
                changed |= self.apply_to(vhost.name, target)
        if changed:
            vhost.changed()
        return bool(targets)

    def apply_to(self, vhost: str, target: Queue | Exchange) -> bool:
        """The same for one queue or exchange; True when that changed anything for it."""
        user = self._match(POLICY, vhost, target)
        operator = self._match(OPERATOR_POLICY, vhost, target)
        policy_name = user.name if user is not None else None
        operator_policy_name = operator.name if operator is not None else None
        effective = _effective(user, operator)
        if (
            effective == target.effective_policy
            and policy_name == target.policy
            and operator_policy_name == target.operator_policy
        ):
            return False
        target.apply_policy(effective, policy_name, operator_policy_name)
        if target.vhost is not None:
            target.vhost.broker.histories.policies_changed(target)
            target.vhost.broker.watchers.policies_changed(target)
        return True

    def _match(self, kind: PolicyKind, vhost: str, target: Queue | Exchange) -> Policy | None:
        for policy in self._in_order(kind, vhost):
            if policy.matches(target):
                return policy
        return None

    def _match_new(self, kind: PolicyKind, vhost: str, name: str, type_name: str) -> Policy | None:
        for policy in self._in_order(kind, vhost):
            if policy.matches_new(name, type_name):
                return policy
        return None

    def _in_order(self, kind: PolicyKind, vhost: str) -> tuple[Policy, ...]:
        """Those of a virtual host, the one that wins first."""
        ranked = self._ranked.get((kind, vhost))
        if ranked is None:
            found = self._policies.get((kind, vhost), {}).values()
            ranked = tuple(sorted(found, key=lambda policy: (-policy.priority, policy.name)))
            self._ranked[kind, vhost] = ranked
        return ranked

    def _put(self, vhost: str, policy: Policy) -> None:
        self._policies.setdefault((policy.kind, vhost), {})[policy.name] = policy
        self._ranked.pop((policy.kind, vhost), None)


def _effective(user: Policy | None, operator: Policy | None) -> Mapping[str, JSON]:
    if user is None and operator is None:
        return _NOTHING
    return merge(
        user.definition if user is not None else _NOTHING,
        operator.definition if operator is not None else _NOTHING,
    )
