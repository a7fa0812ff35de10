"""Permissions and topic permissions."""

from __future__ import annotations

from typing import Final

from warren.core.access.topic_permissions import row_of
from warren.core.administration import operations
from warren.core.administration.listing.permissions import PermissionRow, TopicPermissionRow
from warren.core.errors import NotFound
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.bodies import PermissionsBody, TopicPermissionsBody
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.views import View, fields, listed, one

PERMISSIONS: Final = View("permissions", fields("user", "vhost", "configure", "write", "read"))
TOPIC_PERMISSIONS: Final = View("topic_permissions", fields("user", "vhost", "exchange", "write", "read"))

ONE: Final = "/permissions/{vhost}/{user}"
TOPIC: Final = "/topic-permissions/{vhost}/{user}"


@endpoint("GET", "/permissions", "Permissions.", needs=Needs.ADMINISTRATOR, answer=objects.Permission, lists=True)
async def get_permissions(call: Call) -> Listed:
    return await listed(call, PERMISSIONS)


@endpoint("GET", ONE, "What a user may do.", needs=Needs.ADMINISTRATOR, answer=objects.Permission)
async def get_permission(call: Call) -> object:
    user = call.path["user"]
    for vhost, permission in call.broker.users.permissions_of(user):
        if vhost == call.vhost:
            return one(call, PERMISSIONS, PermissionRow(vhost, user, permission))
    raise NotFound(f"user '{user}' has no permissions in vhost '{call.vhost}'")


@endpoint("PUT", ONE, "Let a user do something.", needs=Needs.ADMINISTRATOR, body=PermissionsBody)
async def put_permission(call: Call) -> Created | None:
    body: PermissionsBody = call.body
    user = call.path["user"]
    before = call.broker.users.may_access_vhost(user, call.vhost)
    before = before and not call.broker.has_just_made("permission", call.vhost, user)
    operations.permissions.set_permissions(call.broker, user, call.vhost, body.configure, body.write, body.read)
    return None if before else Created()


@endpoint("DELETE", ONE, "Shut a user out of a virtual host.", needs=Needs.ADMINISTRATOR)
async def delete_permission(call: Call) -> None:
    if not operations.permissions.clear_permissions(call.broker, call.path["user"], call.vhost):
        raise NotFound(f"user '{call.path['user']}' has no permissions in vhost '{call.vhost}'")


@endpoint(
    "GET",
    "/topic-permissions",
    "Topic permissions.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.TopicPermission,
    lists=True,
)
async def get_topic_permissions(call: Call) -> Listed:
    return await listed(call, TOPIC_PERMISSIONS)


@endpoint(
    "GET",
    TOPIC,
    "Routing keys of a user.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.TopicPermission,
    lists=True,
)
async def get_topic_permission(call: Call) -> Listed:
    user = call.path["user"]
    rows = [
        TopicPermissionRow(vhost, user, exchange, permission)
        for vhost, exchange, permission in call.broker.users.topic_permissions_of(user)
        if vhost == call.vhost
    ]
    if not rows:
        raise NotFound(f"user '{user}' has no topic permissions in vhost '{call.vhost}'")
    return Listed([one(call, TOPIC_PERMISSIONS, each) for each in rows])


@endpoint("PUT", TOPIC, "Narrow routing keys.", needs=Needs.ADMINISTRATOR, body=TopicPermissionsBody)
async def put_topic_permission(call: Call) -> Created | None:
    body: TopicPermissionsBody = call.body
    user = call.path["user"]
    before = any(row[:2] == (call.vhost, body.exchange) for row in call.broker.users.topic_permissions_of(user))
    before = before and not call.broker.has_just_made(*row_of(user, call.vhost, body.exchange))
    operations.permissions.set_topic_permissions(call.broker, user, call.vhost, body.exchange, body.write, body.read)
    return None if before else Created()


@endpoint("DELETE", TOPIC, "Lift all of that.", needs=Needs.ADMINISTRATOR)
async def delete_topic_permission(call: Call) -> None:
    if not operations.permissions.clear_topic_permissions(call.broker, call.path["user"], call.vhost):
        raise NotFound(f"user '{call.path['user']}' has no topic permissions in vhost '{call.vhost}'")


@endpoint("DELETE", TOPIC + "/{exchange}", "Lift it for an exchange.", needs=Needs.ADMINISTRATOR)
async def delete_topic_permission_of_exchange(call: Call) -> None:
    user = call.path["user"]
    if not operations.permissions.clear_topic_permissions(call.broker, user, call.vhost, call.exchange):
        raise NotFound(f"user '{user}' has no topic permissions for exchange '{call.exchange}'")
