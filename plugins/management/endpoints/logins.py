"""Logins: whether a name and a password are right, and how often it was tried."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

from warren.plugins.management import login_objects
from warren.plugins.management.access import NO_PASSWORDS, Needs, check_tags, log_in_as
from warren.plugins.management.bodies import LoginBody
from warren.plugins.management.endpoint import Call, Listed, endpoint
from warren.plugins.management.endpoints.nodes import check_node
from warren.plugins.management.errors import bad_request, not_authorised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.clients.login_attempts import Tried

FORM: Final = "application/x-www-form-urlencoded"

FIELDS_MAX: Final = 10
"""Of the form; it has two."""


@endpoint(
    "POST",
    "/login",
    "Try a name and a password, as a form or as JSON; they come back as what an Authorization header takes.",
    needs=Needs.ANYBODY,
    body=bytes,
    answer=login_objects.LoggedIn,
)
async def post_login(call: Call) -> object:
    if not call.node.login.basic:
        raise not_authorised(NO_PASSWORDS)
    given = _given(call.headers.get("content-type", ""), call.body)
    user = await log_in_as(call.context, given.username, given.password, call.peer_host)
    check_tags(user, Needs.MANAGEMENT)
    encoded = base64.b64encode(f"{given.username}:{given.password}".encode("utf-8", "surrogateescape"))
    return {
        "token": {"type": "basic", "value": encoded.decode("ascii")},
        "user": {"name": user.name, "tags": sorted(user.tags), "is_internal_user": user.rights is None},
    }


@endpoint("DELETE", "/login", "Nothing: a login isn't kept.", needs=Needs.ANYBODY)
async def delete_login(call: Call) -> None:
    pass


def _given(content_type: str, body: bytes) -> LoginBody:
    try:
        if content_type.partition(";")[0].strip().lower() != FORM:
            return msgspec.json.decode(body or b"{}", type=LoginBody)
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
        return msgspec.convert(dict(pairs), LoginBody)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise bad_request("the body has to have username and password, as a form or as JSON") from None


@endpoint(
    "GET",
    "/auth/attempts/{node}",
    "How often logins were tried, by protocol.",
    needs=Needs.MONITORING,
    answer=login_objects.Attempts,
    lists=True,
)
async def get_attempts(call: Call) -> Listed:
    check_node(call)
    found = call.broker.login_attempts.since_forgotten()
    return Listed([_shown(protocol, tried) for protocol, tried in sorted(found.items())])


@endpoint(
    "GET",
    "/auth/attempts/{node}/source",
    "The same by name and address, while track_auth_attempt_source is true.",
    needs=Needs.MONITORING,
    answer=login_objects.Attempts,
    lists=True,
)
async def get_attempts_by_source(call: Call) -> Listed:
    check_node(call)
    found = list(call.broker.login_attempts.by_source.items())
    return Listed(
        {"remote_address": source.peer_host, "username": source.user, **_shown(source.protocol, tried)}
        for source, tried in found
    )


@endpoint("DELETE", "/auth/attempts/{node}", "Count from now on; metrics go on.", needs=Needs.ADMINISTRATOR)
async def delete_attempts(call: Call) -> None:
    check_node(call)
    call.broker.login_attempts.forget()


@endpoint("DELETE", "/auth/attempts/{node}/source", "The same.", needs=Needs.ADMINISTRATOR)
async def delete_attempts_by_source(call: Call) -> None:
    check_node(call)
    call.broker.login_attempts.forget()


def _shown(protocol: str, tried: Tried) -> Mapping[str, object]:
    return {
        "protocol": protocol,
        "auth_attempts": tried.all,
        "auth_attempts_failed": tried.failed,
        "auth_attempts_succeeded": tried.succeeded,
    }
