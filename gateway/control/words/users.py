"""Words that change users."""

from __future__ import annotations

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import word


@word("USER [PASSWORD]", "add a user", 'Adding user "{0}" ...', secret=1)
def add_user(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    name, password = request.arguments
    operations.users.add(control.broker, name, password)
    return done(
        f"Done. Don't forget to let the user into a virtual host: warren ctl set_permissions -p / {name} '.*' '.*' '.*'"
    )


@word("USER", "delete a user and its permissions", 'Deleting user "{0}" ...')
def delete_user(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.users.delete(control.broker, request.arguments[0])
    return done()


@word("USER [PASSWORD]", "give a user another password", 'Changing password for user "{0}" ...', secret=1)
def change_password(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.users.change_password(control.broker, *request.arguments)
    return done()


@word("USER", "forbid a user to log in with a password", 'Clearing password for user "{0}" ...')
def clear_password(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    operations.users.clear_password(control.broker, request.arguments[0])
    return done()


@word("USER [PASSWORD]", "try a user's password", 'Authenticating user "{0}" ...', secret=1)
def authenticate_user(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.access.users import LoginRefused
    from warren.core.administration import operations

    try:
        operations.users.check_password(control.broker, *request.arguments)
    except LoginRefused as error:
        raise RefusedError(f"failed to authenticate {error.reason}", codes.DATA) from None
    return done("Success")


@word(
    "USER [TAG]...",
    "replace a user's tags: administrator, monitoring, ...",
    'Setting tags for user "{0}" ...',
)
def set_user_tags(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    name, *tags = request.arguments
    operations.users.set_tags(control.broker, name, [part for tag in tags for part in tag.split(",") if part])
    return done()
