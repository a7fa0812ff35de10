"""The listings of the control socket: rows of the broker's objects, in the columns that were asked for."""

from __future__ import annotations

from warren.core.administration.listing.selecting import Query, equals, select
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import (
    Answer,
    Control,
    Handler,
    RefusedError,
    Request,
    existing_user,
    existing_vhost,
    table,
)
from warren.gateway.control.words.columns import LISTINGS, Listing, choose_columns
from warren.gateway.control.words.table import VHOST, WORDS


def _listing(word: str, listing: Listing) -> Handler:
    in_vhost = WORDS[word].takes(VHOST.name)

    def answer(control: Control, request: Request) -> Answer:
        try:
            columns = choose_columns(listing, list(request.arguments))
        except ValueError as error:
            raise RefusedError(str(error), codes.USAGE) from None
        vhost = existing_vhost(control, request.vhost).name if in_vhost else None
        query = Query(listing.what, None if vhost is None else (vhost,), columns)
        return table(columns, select(control.server.broker, query).finish().rows)

    return answer


def _users(control: Control, request: Request) -> Answer:
    return table(("user", "tags"), control.server.broker.inspect("users", None))


def _permissions(control: Control, request: Request) -> Answer:
    vhost = existing_vhost(control, request.vhost).name
    columns = ("user", "configure", "write", "read")
    return table(columns, control.server.broker.inspect("permissions", vhost))


def _user_permissions(control: Control, request: Request) -> Answer:
    user = existing_user(control, request.arguments[0])
    columns = ("vhost", "configure", "write", "read")
    return table(columns, _of_user(control, "permissions", user))


def _topic_permissions(control: Control, request: Request) -> Answer:
    vhost = existing_vhost(control, request.vhost).name
    columns = ("user", "exchange", "write", "read")
    return table(columns, control.server.broker.inspect("topic_permissions", vhost))


def _user_topic_permissions(control: Control, request: Request) -> Answer:
    user = existing_user(control, request.arguments[0])
    columns = ("vhost", "exchange", "write", "read")
    return table(columns, _of_user(control, "topic_permissions", user))


def _of_user(control: Control, what: str, user: str) -> list[dict[str, object]]:
    query = Query(what, conditions=[equals("user", user)])
    return select(control.server.broker, query).finish().rows


HANDLERS: dict[str, Handler] = {
    **{word: _listing(word, listing) for word, listing in LISTINGS.items()},
    "list_users": _users,
    "list_permissions": _permissions,
    "list_user_permissions": _user_permissions,
    "list_topic_permissions": _topic_permissions,
    "list_user_topic_permissions": _user_topic_permissions,
}
"""By word."""
