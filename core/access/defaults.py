"""The user that a blank store starts with, so that programs written for RabbitMQ can log in (spec G)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from warren.core.access.permissions import Permission
from warren.core.access.users import Users
from warren.core.storage.definitions.store import DefinitionStore

KIND: Final = "marker"
NAME: Final = "default user"

ADMINISTRATOR: Final = ("administrator",)
EVERYTHING: Final = Permission(".*", ".*", ".*")
"""What the default user is and may do, unless an operator says otherwise."""


def seed_defaults(
    store: DefinitionStore,
    users: Users,
    name: str,
    password: str,
    vhost: str = "/",
    *,
    tags: Collection[str] = ADMINISTRATOR,
    permissions: Permission = EVERYTHING,
) -> bool:
    """Once in the life of a store: add `name`, by default as administrator with all permissions on `vhost`.

    Returns False, changing nothing, when that was done before or users are there already.  What was done is
    marked in the store, so that an administrator who deletes the default user doesn't find it again after a
    restart.
    """
    if users or any(kind == KIND and row_name == NAME for kind, _, row_name, _ in store.load()):
        return False
    users.add_user(name, password, sorted(tags))
    users.set_permissions(name, vhost, *permissions)
    note_seeded(store, name)
    return True


def note_seeded(store: DefinitionStore, name: str = "") -> None:
    """Have `seed_defaults` add nothing any more; name: the user that was added."""
    store.put(KIND, "", NAME, {"user": name})
