"""Users and permissions as rows of dictionaries, to compare with."""

from __future__ import annotations

from warren.core.access.users import Users

Rows = list[dict[str, object]]


def list_users(users: Users) -> Rows:
    return [{"user": user.name, "tags": sorted(user.tags)} for user in users]


def list_permissions(users: Users, vhost: str) -> Rows:
    return [{"user": user, **found._asdict()} for user, found in users.permissions_in(vhost)]


def list_topic_permissions(users: Users, vhost: str) -> Rows:
    found = users.topic_permissions_in(vhost)
    return [{"user": user, "exchange": exchange, **row._asdict()} for user, exchange, row in found]


def list_user_permissions(users: Users, user: str) -> Rows:
    return [{"vhost": vhost, **found._asdict()} for vhost, found in users.permissions_of(user)]


def list_user_topic_permissions(users: Users, user: str) -> Rows:
    found = users.topic_permissions_of(user)
    return [{"vhost": vhost, "exchange": exchange, **row._asdict()} for vhost, exchange, row in found]
