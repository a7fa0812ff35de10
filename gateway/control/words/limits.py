"""Words on limits of virtual hosts and users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from warren.gateway.control.json_text import json_text, parse_json
from warren.gateway.control.target import Answer, Control, Request, done, table, value
from warren.gateway.control.word import VHOST, Option, word

ALL: Final = Option("global")


@word(
    "DEFINITION",
    'limit a virtual host: {"max-connections": 100, "max-queues": 1000, "max-message-rate": 5000}; -1 is no limit',
    'Setting vhost limits to "{0}" for vhost "{vhost}" ...',
    options=(VHOST,),
    example='-p orders \'{"max-connections": 100, "max-queues": 1000}\'',
)
def set_vhost_limits(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.limits.set_of_vhost(control.broker, request.vhost, parse_json(request.arguments[0]))
    return done()


@word("", "lift its limits", 'Clearing vhost "{vhost}" limits ...', options=(VHOST,), example="-p orders")
def clear_vhost_limits(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.limits.clear_of_vhost(control.broker, request.vhost)
    return done()


@word("", "limits of a virtual host, or with --global of all", options=(VHOST, ALL), example="--global")
def list_vhost_limits(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    if not request.options.get(ALL.name):
        return _limits(operations.limits.of_vhost(control.broker, request.vhost))
    vhosts = control.broker.vhosts.values()
    rows = [{"vhost": vhost.name, "limits": json_text(vhost.limits)} for vhost in vhosts if vhost.limits]
    return table(("vhost", "limits"), rows)


@word(
    "USER DEFINITION",
    'limit a user: {"max-connections": 10, "max-channels": 100, "max-byte-rate": 1000000}; -1 is no limit',
    'Setting user limits to "{1}" for user "{0}" ...',
    example="ada '{\"max-connections\": 10}'",
)
def set_user_limits(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    user, definition = request.arguments
    operations.limits.set_of_user(control.broker, user, parse_json(definition))
    return done()


@word("USER LIMIT", "lift one limit of a user, or all", 'Clearing "{1}" limit for user "{0}" ...', example="ada all")
def clear_user_limits(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.limits.clear_of_user(control.broker, *request.arguments)
    return done()


@word("", "limits of all users, or of one", options=(Option("user", "USER"), ALL), example="--user ada")
def list_user_limits(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    name = request.options.get("user")
    if name:
        return _limits(operations.limits.of_user(control.broker, str(name)))
    rows = [{"user": user.name, "limits": json_text(user.limits)} for user in control.broker.users if user.limits]
    return table(("user", "limits"), rows)


def _limits(limits: Mapping[str, int]) -> Answer:
    return value(dict(limits), json_text(limits))
