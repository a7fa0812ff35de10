"""Users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import msgspec
import trio

from warren.core.administration import operations
from warren.core.administration.listing.selecting import equals
from warren.core.administration.listing.users import UserRow
from warren.plugins.management import objects
from warren.plugins.management.access import ADMINISTRATOR_TAG, Needs
from warren.plugins.management.bodies import UserBody, UsersBody
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.endpoints.permissions import PERMISSIONS, TOPIC_PERMISSIONS
from warren.plugins.management.errors import bad_request
from warren.plugins.management.views import View, fields, listed, one

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

USERS: Final = View("users", fields("name", "password_hash", "hashing_algorithm", "tags", "limits"))


@endpoint("GET", "/whoami", "Who asks.", answer=objects.WhoAmI)
async def whoami(call: Call) -> object:
    return {"name": call.user.name, "tags": sorted(call.user.tags), "is_internal_user": call.user.rights is None}


@endpoint("GET", "/users", "Users.", needs=Needs.ADMINISTRATOR, answer=objects.User, lists=True)
async def get_users(call: Call) -> Listed:
    return await listed(call, USERS)


@endpoint(
    "GET",
    "/users/without-permissions",
    "Users who may not enter any virtual host.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.User,
    lists=True,
)
async def get_users_without_permissions(call: Call) -> Listed:
    users = call.broker.users
    return Listed([one(call, USERS, UserRow(each)) for each in users if not users.permissions_of(each.name)])


@endpoint("POST", "/users/bulk-delete", "Delete users; ?force=true.", needs=Needs.ADMINISTRATOR, body=UsersBody)
async def delete_users(call: Call) -> None:
    body: UsersBody = call.body
    if not call.flag("force"):
        operations.users.check_administrator_stays(call.broker, *body.users)
    for name in body.users:
        if name not in call.broker.users and not call.broker.users.was_deleted(name):
            raise bad_request(f"user '{name:.100}' does not exist, so nobody was deleted")
    for name in body.users:
        if name in call.broker.users:
            operations.users.delete(call.broker, name)
            await trio.lowlevel.checkpoint()


@endpoint("GET", "/users/{user}", "A user.", needs=Needs.ADMINISTRATOR, answer=objects.User)
async def get_user(call: Call) -> object:
    return one(call, USERS, UserRow(operations.users.existing(call.broker, call.path["user"])))


@endpoint(
    "PUT",
    "/users/{user}",
    "Make a user, or change one; the last administrator stays one but for ?force=true.",
    needs=Needs.ADMINISTRATOR,
    body=UserBody,
)
async def put_user(call: Call) -> Created | None:
    body: UserBody = call.body
    name = call.path["user"]
    described = cast("dict[str, JSON]", {n: v for n, v in msgspec.to_builtins(body).items() if v is not None})
    if isinstance(body.tags, str):
        described["tags"] = [tag.strip() for tag in body.tags.split(",") if tag.strip()]
    if body.tags is None:
        raise bad_request("tags are missing: a list, or a text with commas; may be empty")
    if ADMINISTRATOR_TAG not in cast("list[str]", described["tags"]) and not call.flag("force"):
        operations.users.check_administrator_stays(call.broker, name)
    _, made = operations.users.put(call.broker, name, described)
    return Created() if made else None


@endpoint(
    "DELETE",
    "/users/{user}",
    "Delete a user; the last administrator only with ?force=true.",
    needs=Needs.ADMINISTRATOR,
)
async def delete_user(call: Call) -> None:
    operations.users.delete(call.broker, call.path["user"], force=call.flag("force"))


@endpoint(
    "GET",
    "/users/{user}/permissions",
    "Permissions of a user.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.Permission,
    lists=True,
)
async def get_permissions_of_user(call: Call) -> Listed:
    operations.users.existing(call.broker, call.path["user"])
    return await listed(call, PERMISSIONS, equals("user", call.path["user"]))


@endpoint(
    "GET",
    "/users/{user}/topic-permissions",
    "Topic permissions of a user.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.TopicPermission,
    lists=True,
)
async def get_topic_permissions_of_user(call: Call) -> Listed:
    operations.users.existing(call.broker, call.path["user"])
    return await listed(call, TOPIC_PERMISSIONS, equals("user", call.path["user"]))
