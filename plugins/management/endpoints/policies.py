"""Policies and operator policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.administration import operations
from warren.core.administration.listing.policies import PolicyRow
from warren.core.administration.operations.policies import OPERATOR_POLICY, POLICY
from warren.core.errors import NoSuchParameter
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.bodies import PolicyBody, check_table
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.views import View, fields, listed, one

if TYPE_CHECKING:
    from warren.core.policies.policy import Policy, PolicyKind

_FIELDS: Final = fields("vhost", "name", "pattern", "apply-to", "definition", "priority")

POLICIES: Final = View("policies", _FIELDS)
OPERATOR_POLICIES: Final = View("operator_policies", _FIELDS)

ONE: Final = "/policies/{vhost}/{policy}"
OPERATOR: Final = "/operator-policies/{vhost}/{policy}"


@endpoint("GET", "/policies", "Policies.", answer=objects.Policy, lists=True)
async def get_all_policies(call: Call) -> Listed:
    return await listed(call, POLICIES)


@endpoint(
    "GET",
    "/policies/{vhost}",
    "Policies of a virtual host.",
    answer=objects.Policy,
    lists=True,
)
async def get_policies(call: Call) -> Listed:
    return await listed(call, POLICIES)


@endpoint("GET", ONE, "A policy.", needs=Needs.POLICYMAKER, answer=objects.Policy)
async def get_policy(call: Call) -> object:
    return one(call, POLICIES, PolicyRow(call.vhost, _existing(call, POLICY)))


@endpoint("PUT", ONE, "Set a policy.", needs=Needs.POLICYMAKER, body=PolicyBody)
async def put_policy(call: Call) -> Created | None:
    return _put(call, POLICY)


@endpoint("DELETE", ONE, "Remove a policy.", needs=Needs.POLICYMAKER)
async def delete_policy(call: Call) -> None:
    operations.policies.clear_policy(call.broker, POLICY, call.vhost, call.path["policy"])


@endpoint("GET", "/operator-policies", "Operator policies.", answer=objects.Policy, lists=True)
async def get_all_operator_policies(call: Call) -> Listed:
    return await listed(call, OPERATOR_POLICIES)


@endpoint(
    "GET",
    "/operator-policies/{vhost}",
    "Operator policies of a virtual host.",
    answer=objects.Policy,
    lists=True,
)
async def get_operator_policies(call: Call) -> Listed:
    return await listed(call, OPERATOR_POLICIES)


@endpoint("GET", OPERATOR, "An operator policy.", needs=Needs.POLICYMAKER, answer=objects.Policy)
async def get_operator_policy(call: Call) -> object:
    return one(call, OPERATOR_POLICIES, PolicyRow(call.vhost, _existing(call, OPERATOR_POLICY)))


@endpoint("PUT", OPERATOR, "Set an operator policy.", needs=Needs.ADMINISTRATOR, body=PolicyBody)
async def put_operator_policy(call: Call) -> Created | None:
    return _put(call, OPERATOR_POLICY)


@endpoint("DELETE", OPERATOR, "Remove an operator policy.", needs=Needs.ADMINISTRATOR)
async def delete_operator_policy(call: Call) -> None:
    operations.policies.clear_policy(call.broker, OPERATOR_POLICY, call.vhost, call.path["policy"])


def _found(call: Call, kind: PolicyKind) -> Policy | None:
    name = call.path["policy"]
    return next((each for each in call.broker.policies.in_vhost(kind, call.vhost) if each.name == name), None)


def _existing(call: Call, kind: PolicyKind) -> Policy:
    found = _found(call, kind)
    if found is None:
        raise NoSuchParameter(f"there is no policy '{call.path['policy']}' in vhost '{call.vhost}'")
    return found


def _put(call: Call, kind: PolicyKind) -> Created | None:
    body: PolicyBody = call.body
    made = _found(call, kind) is None or call.broker.has_just_made(kind, call.vhost, call.path["policy"])
    operations.policies.set_policy(
        call.broker,
        kind,
        call.vhost,
        call.path["policy"],
        body.pattern,
        check_table("definition", body.definition),
        priority=body.priority,
        apply_to=body.apply__to,
    )
    return Created() if made else None
