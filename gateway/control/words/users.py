"""Words that change users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, Row, done, table, value
from warren.gateway.control.word import VHOST, Option, Remote, word

if TYPE_CHECKING:
    from warren.core.clients.login_attempts import Tried

BY_SOURCE: Final = Option("by_source")

ATTEMPTS: Final = ("auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded")

FORCE: Final = Option("force")
"""Although nobody would be an administrator any more."""


TAGS: Final = Option("tags", "TAG,TAG")

PERMISSIONS: Final = (Option("configure", "PATTERN"), Option("write", "PATTERN"), Option("read", "PATTERN"))
"""What a new user may do in a virtual host, in the order of set_permissions; what isn't given is nothing."""


@word(
    "USER [PASSWORD]",
    "add a user, with --configure, --write or --read also its permissions in a virtual host",
    'Adding user "{0}" ...',
    options=(VHOST, TAGS, *PERMISSIONS),
    secret=1,
    example="ada --read '^orders' -p shop",
)
def add_user(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does, whose add_user has no options; nothing is changed when anything of it can't be."""
    from warren.core.access.patterns import check_pattern
    from warren.core.administration import operations

    name, password = request.arguments
    tags = [part for part in str(request.options.get(TAGS.name, "")).split(",") if part]
    patterns = [str(request.options.get(each.name, "")) for each in PERMISSIONS]
    has_permissions = any(each.name in request.options for each in PERMISSIONS)
    if has_permissions:
        operations.vhosts.existing(control.broker, request.vhost)
        for pattern in patterns:
            check_pattern(pattern)
    operations.users.add(control.broker, name, password, tags)
    if not has_permissions:
        return done(
            "Done. Don't forget to let the user into a virtual host: "
            f"warren ctl set_permissions -p / {name} '.*' '.*' '.*'"
        )
    operations.permissions.set_permissions(control.broker, name, request.vhost, *patterns)
    return done()


@word("USER", "delete a user and its permissions", 'Deleting user "{0}" ...', options=(FORCE,), example="ada")
def delete_user(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the last administrator stays without --force."""
    from warren.core.administration import operations

    name = request.arguments[0]
    operations.users.delete(control.broker, name, force=FORCE.name in request.options)
    return done()


@word(
    "USER [PASSWORD]", "give a user another password", 'Changing password for user "{0}" ...', secret=1, example="ada"
)
def change_password(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.users.change_password(control.broker, *request.arguments)
    return done()


@word("USER", "forbid a user to log in with a password", 'Clearing password for user "{0}" ...', example="ada")
def clear_password(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.users.clear_password(control.broker, request.arguments[0])
    return done()


@word("USER [PASSWORD]", "try a user's password", 'Authenticating user "{0}" ...', secret=1, example="ada")
async def authenticate_user(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does: all authentication back-ends are asked, as for a client."""
    from warren.core.access.users import LoginRefused
    from warren.core.administration import operations
    from warren.gateway.network.answered import when_known

    async def check() -> None:
        operations.users.check_password(control.broker, *request.arguments)

    try:
        await when_known(check)
    except LoginRefused as error:
        raise RefusedError(f"failed to authenticate {error.reason}", codes.DATA) from None
    return done("Success")


@word(
    "USER [TAG]...",
    "replace a user's tags: administrator, monitoring, ...",
    'Setting tags for user "{0}" ...',
    options=(FORCE,),
    example="ada monitoring",
)
def set_user_tags(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does; the last administrator stays one without --force."""
    from warren.core.administration import operations

    name, *given = request.arguments
    tags = [part for tag in given for part in tag.split(",") if part]
    operations.users.existing(control.broker, name)
    if operations.users.ADMINISTRATOR not in tags and FORCE.name not in request.options:
        operations.users.check_administrator_stays(control.broker, name)
    operations.users.set_tags(control.broker, name, tags)
    return done()


@word("[PASSWORD]", "the hash of a password, as definitions and the API take it", secret=0)
def hash_password(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    import os

    from warren.core.access import passwords

    found = passwords.hash_password(request.arguments[0], os.urandom(passwords.SALT_BYTES))
    return value({"result": "ok", "value": found}, found)


@word(
    "",
    "how often logins were tried, by protocol; --by-source: by name and address, while that is counted",
    "Listing authentication attempts ...",
    options=(BY_SOURCE,),
    remote=Remote.MONITORING,
    example="--by-source",
)
def list_node_auth_attempt_stats(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    attempts = control.broker.login_attempts
    if request.options.get(BY_SOURCE.name):
        rows = [
            {"remote_address": source.peer_host, "username": source.user, "protocol": source.protocol, **_tried(tried)}
            for source, tried in list(attempts.by_source.items())
        ]
        return table(("remote_address", "username", "protocol", *ATTEMPTS), rows)
    found = sorted(attempts.since_forgotten().items())
    return table(("protocol", *ATTEMPTS), [{"protocol": protocol, **_tried(tried)} for protocol, tried in found])


@word("", "count logins from now on; metrics go on", "Resetting counts of authentication attempts ...")
def reset_node_auth_attempt_metrics(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    control.broker.login_attempts.forget()
    return done()


def _tried(tried: Tried) -> Row:
    return dict(zip(ATTEMPTS, (tried.all, tried.failed, tried.succeeded), strict=True))


@word("", "the same about everybody, by RabbitMQ's name", "Forgetting what authentication back-ends have answered ...")
def clear_auth_backend_cache(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does with the plugin rabbitmq_auth_backend_cache."""
    from warren.core.administration import operations

    operations.users.ask_anew(control.broker)
    return done()


@word(
    "[USER]",
    "ask other authentication back-ends anew, about everybody or a user",
    "Forgetting what authentication back-ends have answered ...",
    example="ada",
)
def clear_auth_cache(control: Control, request: Request) -> Answer:
    """Warren's own; what goes on by rights that are no more ends."""
    from warren.core.administration import operations

    operations.users.ask_anew(control.broker, *request.arguments)
    return done()
