"""The commands of the control socket that change users and permissions."""

from __future__ import annotations

from warren.core.access.users import LoginRefused
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
)


def _add_user(control: Control, request: Request) -> Answer:
    name, password = request.arguments
    control.server.broker.users.add_user(name, password)
    return done(
        f"Done. Don't forget to let the user into a virtual host: warren ctl set_permissions -p / {name} '.*' '.*' '.*'"
    )


def _delete_user(control: Control, request: Request) -> Answer:
    control.server.broker.users.delete_user(existing_user(control, request.arguments[0]))
    return done()


def _change_password(control: Control, request: Request) -> Answer:
    name, password = request.arguments
    control.server.broker.users.change_password(existing_user(control, name), password)
    return done()


def _clear_password(control: Control, request: Request) -> Answer:
    control.server.broker.users.clear_password(existing_user(control, request.arguments[0]))
    return done()


def _authenticate_user(control: Control, request: Request) -> Answer:
    name, password = request.arguments
    try:
        control.server.broker.users.authenticate(name, password, is_loopback=True)
    except LoginRefused as error:
        raise RefusedError(f"failed to authenticate {error.reason}", codes.DATA) from None
    return done("Success")


def _set_user_tags(control: Control, request: Request) -> Answer:
    name, *tags = request.arguments
    given = (part for tag in tags for part in tag.split(",") if part)
    control.server.broker.users.set_tags(existing_user(control, name), given)
    return done()


def _set_permissions(control: Control, request: Request) -> Answer:
    name, configure, write, read = request.arguments
    vhost = existing_vhost(control, request.vhost).name
    control.server.broker.users.set_permissions(existing_user(control, name), vhost, configure, write, read)
    return done()


def _clear_permissions(control: Control, request: Request) -> Answer:
    vhost = existing_vhost(control, request.vhost).name
    control.server.broker.users.clear_permissions(existing_user(control, request.arguments[0]), vhost)
    return done()


def _set_topic_permissions(control: Control, request: Request) -> Answer:
    name, exchange, write, read = request.arguments
    vhost = existing_vhost(control, request.vhost).name
    users = control.server.broker.users
    users.set_topic_permissions(existing_user(control, name), vhost, exchange, write, read)
    return done()


def _clear_topic_permissions(control: Control, request: Request) -> Answer:
    name, *exchange = request.arguments
    vhost = existing_vhost(control, request.vhost).name
    users = control.server.broker.users
    users.clear_topic_permissions(existing_user(control, name), vhost, exchange[0] if exchange else None)
    return done()


HANDLERS: dict[str, Handler] = {
    "add_user": _add_user,
    "delete_user": _delete_user,
    "change_password": _change_password,
    "clear_password": _clear_password,
    "authenticate_user": _authenticate_user,
    "set_user_tags": _set_user_tags,
    "set_permissions": _set_permissions,
    "clear_permissions": _clear_permissions,
    "set_topic_permissions": _set_topic_permissions,
    "clear_topic_permissions": _clear_topic_permissions,
}
"""By word."""
