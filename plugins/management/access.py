"""Who asks, and what for: users by HTTP Basic, tokens, tags, virtual hosts (spec F.1).

Whoever knows users is asked as for every protocol (docs/authentication.md).  A token comes as `Bearer TOKEN` (RFC
6750), or as the password.

A password that is wrong is answered as late as in every protocol, and no more of such answers wait at a time than of
all protocols together (core/clients/refused_logins.py).
"""

from __future__ import annotations

import base64
import logging
from enum import Enum
from typing import TYPE_CHECKING, Final

import trio

from warren.core.access.accounts import LoginRefused, User
from warren.core.access.rights import BackEndFailed
from warren.core.administration.operations import vhosts as vhost_operations
from warren.core.clients.login_attempts import Source
from warren.core.clients.transport import is_loopback
from warren.gateway.plugin import when_known
from warren.plugins.management.errors import ApiError, not_authorised

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warren.core.broker import Broker
    from warren.gateway.plugin import Context

_log = logging.getLogger("warren.plugin.management")

MECHANISM: Final = "PLAIN"

ATTEMPTS_LABEL: Final = "http"
"""How RabbitMQ calls the protocol where it counts logins: every request is one."""

ADMINISTRATOR_TAG: Final = "administrator"

NO_PASSWORDS: Final = "log in with a token: names and passwords aren't taken here (management_basic_auth)"

NOBODY: Final = User("", "", "", frozenset())
"""Who asks for what anybody may know."""


class Needs(Enum):
    """Which tags a request takes, any of them; an administrator may do everything.  ANYBODY: nobody has to log in."""

    ANYBODY = frozenset[str]()  # Python 3.11.2 takes an empty tuple for no value
    MANAGEMENT = ("management", "policymaker", "monitoring", ADMINISTRATOR_TAG)
    POLICYMAKER = ("policymaker", ADMINISTRATOR_TAG)
    MONITORING = ("monitoring", ADMINISTRATOR_TAG)
    ADMINISTRATOR = (ADMINISTRATOR_TAG,)


async def log_in(context: Context, header: str | None, peer_host: str, *, basic: bool) -> User:
    """The user of an Authorization header (RFC 7617, RFC 6750).

    basic: whether names and passwords are taken.

    Raises ApiError, late if it was a password or token that is wrong.
    """
    return await log_in_as(context, *_credentials(header, basic=basic), peer_host)


async def log_in_as(context: Context, name: str, password: str, peer_host: str) -> User:
    """The user of this name and password, or of this token; raises as `log_in`."""
    users, attempts = context.broker.users, context.broker.login_attempts

    async def try_it() -> User:
        context.changed()
        return users.log_in(
            name, password, is_loopback=is_loopback(peer_host), mechanism=MECHANISM, peer_host=peer_host
        )

    try:
        user = await when_known(try_it)
    except LoginRefused as error:
        attempts.count(Source(ATTEMPTS_LABEL, peer_host, name), succeeded=False)
        _log.warning("HTTP access from %s denied: %s", peer_host, error.reason)
        await _wait(context)
        raise not_authorised("Login failed") from None
    attempts.count(Source(ATTEMPTS_LABEL, peer_host, user.name), succeeded=True)
    return user


def _credentials(header: str | None, *, basic: bool) -> tuple[str, str]:
    scheme, _, encoded = (header or "").strip().partition(" ")
    if scheme.lower() == "bearer" and encoded.strip():
        return "", encoded.strip()
    if not basic:
        raise not_authorised(NO_PASSWORDS)
    if scheme.lower() != "basic":
        raise not_authorised("log in with HTTP Basic authentication: a user's name and password")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        raise not_authorised("the Authorization header isn't base64 of NAME:PASSWORD in UTF-8") from None
    name, colon, password = text.partition(":")
    if not colon:
        raise not_authorised("the Authorization header isn't base64 of NAME:PASSWORD")
    return name, password


async def _wait(context: Context) -> None:
    over = trio.Event()
    request = object()
    refused = context.broker.refused_logins
    refused.add(request, over.set, context.broker.now_ms)
    context.changed()
    try:
        await over.wait()
    finally:
        refused.forget(request)


def check_origin(headers: Mapping[str, str], allowed: Sequence[str]) -> None:
    """Raise ApiError for a change that another site's page asks for, unless it is one of the allowed origins.

    A browser that knows a password sends it with whatever a page has it send, a form for instance, where nobody asks
    first whether the page may (Fetch, 3.2).
    """
    origin = headers.get("origin")
    if origin is None or origin in allowed or "*" in allowed:
        return
    if origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise ApiError(
            403,
            "forbidden",
            f"a page of {origin} asks for this, which is another site (management_cors_allow_origins)",
        )


def check_tags(user: User, needs: Needs) -> None:
    """Raise ApiError unless the user has one of the tags."""
    if not user.tags & {*Needs.MANAGEMENT.value}:
        raise ApiError(401, "not_authorised", f"user '{user.name}' has no tag such as management or administrator")
    if not user.tags & {*needs.value}:
        raise not_authorised(f"user '{user.name}' needs the tag {' or '.join(needs.value)} for this")


def sees_everything(user: User) -> bool:
    """Whether listings show the user what is in virtual hosts and connections that aren't the user's."""
    return bool(user.tags & {*Needs.MONITORING.value})


def visible_vhosts(broker: Broker, user: User) -> list[str] | None:
    """The virtual hosts whose objects the user sees; None for all."""
    if sees_everything(user):
        return None
    return [name for name in broker.vhosts if _may_access(broker, user, name)]


def _may_access(broker: Broker, user: User, vhost: str) -> bool:
    """Not, where nobody can say; raises Unanswered."""
    try:
        return broker.users.may_access_vhost(user, vhost)
    except BackEndFailed:
        return False


async def check_vhost(broker: Broker, user: User, vhost: str, *, reads: bool) -> None:
    """Raise ApiError unless the user may ask for something in the virtual host, NotFound if there is none.

    reads: nothing is to be changed.
    """
    everywhere = Needs.MONITORING if reads else Needs.ADMINISTRATOR

    async def may_access() -> bool:
        return _may_access(broker, user, vhost)

    if not user.tags & {*everywhere.value} and not await when_known(may_access):
        raise not_authorised(f"user '{user.name}' may not access the virtual host '{vhost}'")
    vhost_operations.existing(broker, vhost)
