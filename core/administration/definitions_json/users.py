"""A user of a definitions file: what versions of RabbitMQ write of its password and its tags."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.access import passwords
from warren.core.access.accounts import User, check_name
from warren.core.clients.limits import USER_LIMITS, check_limits
from warren.core.errors import PreconditionFailed
from warren.core.routing.vhost_metadata import check_tags

if TYPE_CHECKING:
    from warren.core.administration.definitions_json.reading import Item
    from warren.core.storage.definitions.store import JSON

_DIGEST_ALGORITHMS: Final[Mapping[int, str]] = {16: passwords.MD5, 32: passwords.SHA256, 64: passwords.SHA512}
"""Which function made a digest of so many bytes, for hashes that don't say so (RabbitMQ before 3.6.1)."""


def user_of_item(item: Item, existing: User | None) -> User:
    """The user that an item describes; PreconditionFailed when it can't be one.

    existing: the user of this name, who keeps the limits when the item names none.
    """
    name = item.name("name")
    try:
        check_name(name)
    except PreconditionFailed as error:
        item.refuse(error.text)
    limits = existing.limits if existing is not None else {}
    if "limits" in item:
        limits = check_limits(item.table("limits"), USER_LIMITS, "user-limits")
    password_hash, algorithm = _password(item)
    passwords.check_algorithm(algorithm)
    passwords.check_hash(password_hash, algorithm)
    return User(name, password_hash, algorithm, _tags(item), limits)


def _password(item: Item) -> tuple[str, str]:
    """(hash, algorithm) of a user: as it stands there, of the password that stands there, or none at all."""
    if "password" in item:
        if "password_hash" in item:
            item.refuse("both password and password_hash are given")
        salt = os.urandom(passwords.SALT_BYTES)
        return passwords.hash_password(item.text("password"), salt), passwords.DEFAULT_ALGORITHM
    password_hash = item.text("password_hash", passwords.NO_PASSWORD)
    if "hashing_algorithm" in item:
        return password_hash, item.text("hashing_algorithm")
    return password_hash, _algorithm_of(password_hash)


def _algorithm_of(password_hash: str) -> str:
    if not password_hash:
        return passwords.DEFAULT_ALGORITHM
    passwords.check_hash(password_hash)
    digest_bytes = len(base64.b64decode(password_hash)) - passwords.SALT_BYTES
    return _DIGEST_ALGORITHMS.get(digest_bytes, passwords.LEGACY_ALGORITHM)


def _tags(item: Item) -> frozenset[str]:
    """Tags as a list (3.9 and later), as a string with commas, or the flag `administrator` (before 2.4)."""
    if "tags" not in item:
        if "administrator" not in item:
            item.refuse("'tags' is missing")
        return frozenset({"administrator"} if item.flag("administrator", False) else ())
    tags: Iterable[JSON] = check_tags(item.get("tags"))
    return frozenset(str(tag) for tag in tags)
