"""The commands of the control socket on limits of virtual hosts and users."""

from __future__ import annotations

from collections.abc import Mapping

from warren.core.administration.vhost_limits import COMPONENT, NAME
from warren.core.clients.limits import USER_LIMITS, check_limits
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import (
    Answer,
    Control,
    Handler,
    RefusedError,
    Request,
    done,
    existing_user,
    existing_vhost,
    table,
)
from warren.gateway.control.words.policies import as_text, parse_json

ALL = "all"
"""In the place of a limit's name, for `clear_user_limits`."""


def _set_vhost_limits(control: Control, request: Request) -> Answer:
    vhost = existing_vhost(control, request.vhost).name
    control.server.broker.parameters.set(vhost, COMPONENT, NAME, parse_json(request.arguments[0]))
    return done()


def _clear_vhost_limits(control: Control, request: Request) -> Answer:
    control.server.broker.parameters.clear(existing_vhost(control, request.vhost).name, COMPONENT, NAME)
    return done()


def _list_vhost_limits(control: Control, request: Request) -> Answer:
    if not request.options.get("global"):
        return _value(existing_vhost(control, request.vhost).limits)
    vhosts = control.server.broker.vhosts.values()
    rows = [{"vhost": vhost.name, "limits": as_text(vhost.limits)} for vhost in vhosts if vhost.limits]
    return table(("vhost", "limits"), rows)


def _set_user_limits(control: Control, request: Request) -> Answer:
    name, definition = request.arguments
    users = control.server.broker.users
    added = check_limits(parse_json(definition), USER_LIMITS, "user-limits")
    users.set_limits(name, {**users[existing_user(control, name)].limits, **added})
    return done()


def _clear_user_limits(control: Control, request: Request) -> Answer:
    name, limit = request.arguments
    users = control.server.broker.users
    limits = users[existing_user(control, name)].limits
    if limit not in (ALL, *USER_LIMITS):
        raise RefusedError(f"unknown limit '{limit}'; the limits are {', '.join(USER_LIMITS)}, or {ALL}", codes.DATA)
    users.set_limits(name, {key: limits[key] for key in limits if limit not in (ALL, key)})
    return done()


def _list_user_limits(control: Control, request: Request) -> Answer:
    users = control.server.broker.users
    name = request.options.get("user")
    if name:
        return _value(users[existing_user(control, str(name))].limits)
    rows = [{"user": user.name, "limits": as_text(user.limits)} for user in users if user.limits]
    return table(("user", "limits"), rows)


def _value(limits: Mapping[str, int]) -> Answer:
    return {"ok": True, "value": dict(limits), "text": as_text(limits)}


HANDLERS: dict[str, Handler] = {
    "set_vhost_limits": _set_vhost_limits,
    "clear_vhost_limits": _clear_vhost_limits,
    "list_vhost_limits": _list_vhost_limits,
    "set_user_limits": _set_user_limits,
    "clear_user_limits": _clear_user_limits,
    "list_user_limits": _list_user_limits,
}
"""By word."""
