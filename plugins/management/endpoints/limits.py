"""Limits of virtual hosts and users."""

from __future__ import annotations

from collections.abc import Mapping

from warren.core.administration import operations
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.bodies import LimitBody
from warren.plugins.management.endpoint import Call, Listed, endpoint


def _of_vhosts(call: Call) -> Listed:
    names = [name for name in call.broker.vhosts if call.vhosts is None or name in call.vhosts]
    found = [(name, operations.limits.of_vhost(call.broker, name)) for name in names]
    return Listed([_limits("vhost", name, limits) for name, limits in found if limits])


def _of_users(call: Call, names: list[str]) -> Listed:
    found = [(name, operations.limits.of_user(call.broker, name)) for name in names]
    return Listed([_limits("user", name, limits) for name, limits in found if limits])


def _limits(what: str, name: str, limits: Mapping[str, int]) -> dict[str, object]:
    return {what: name, "value": dict(limits)}


@endpoint("GET", "/vhost-limits", "Limits of virtual hosts.", answer=objects.VhostLimits, lists=True)
async def get_all_vhost_limits(call: Call) -> Listed:
    return _of_vhosts(call)


@endpoint("GET", "/vhost-limits/{vhost}", "Limits of a virtual host.", answer=objects.VhostLimits, lists=True)
async def get_vhost_limits(call: Call) -> Listed:
    return _of_vhosts(call)


@endpoint(
    "PUT",
    "/vhost-limits/{vhost}/{limit}",
    "Set max-connections, max-queues, or a rate, of a virtual host.",
    needs=Needs.ADMINISTRATOR,
    body=LimitBody,
)
async def put_vhost_limit(call: Call) -> None:
    body: LimitBody = call.body
    limits = {**operations.limits.of_vhost(call.broker, call.vhost), call.path["limit"]: body.value}
    operations.limits.set_of_vhost(call.broker, call.vhost, limits)


@endpoint("DELETE", "/vhost-limits/{vhost}/{limit}", "Lift a limit of a virtual host.", needs=Needs.ADMINISTRATOR)
async def delete_vhost_limit(call: Call) -> None:
    operations.limits.clear_of_vhost(call.broker, call.vhost, call.path["limit"])


@endpoint(
    "GET",
    "/user-limits",
    "Limits of users.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.UserLimits,
    lists=True,
)
async def get_all_user_limits(call: Call) -> Listed:
    return _of_users(call, [user.name for user in call.broker.users])


@endpoint(
    "GET",
    "/user-limits/{user}",
    "Limits of a user.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.UserLimits,
    lists=True,
)
async def get_user_limits(call: Call) -> Listed:
    return _of_users(call, [call.path["user"]])


@endpoint(
    "PUT",
    "/user-limits/{user}/{limit}",
    "Set max-connections, max-channels, or a rate, of a user.",
    needs=Needs.ADMINISTRATOR,
    body=LimitBody,
)
async def put_user_limit(call: Call) -> None:
    body: LimitBody = call.body
    operations.limits.set_of_user(call.broker, call.path["user"], {call.path["limit"]: body.value})


@endpoint("DELETE", "/user-limits/{user}/{limit}", "Lift a limit of a user.", needs=Needs.ADMINISTRATOR)
async def delete_user_limit(call: Call) -> None:
    operations.limits.clear_of_user(call.broker, call.path["user"], call.path["limit"])
