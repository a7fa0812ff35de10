"""Operations on users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker


def existing(broker: Broker, name: str) -> User:
    """The user of this name; NoSuchUser when there is none."""
    return broker.users[name]


def add(broker: Broker, name: str, password: str, tags: Iterable[str] = ()) -> User:
    """Add a user; PreconditionFailed for a name that is taken or blank, or a blank password."""
    return broker.users.add_user(name, password, tags)


def delete(broker: Broker, name: str) -> None:
    """Delete a user with all permissions; NoSuchUser."""
    broker.users.delete_user(name)


def change_password(broker: Broker, name: str, password: str) -> None:
    """Give the user another password; NoSuchUser, PreconditionFailed when it is blank."""
    broker.users.change_password(name, password)


def clear_password(broker: Broker, name: str) -> None:
    """Forbid the user to log in with a password; NoSuchUser."""
    broker.users.clear_password(name)


def set_tags(broker: Broker, name: str, tags: Iterable[str]) -> None:
    """Replace the user's tags; NoSuchUser."""
    broker.users.set_tags(name, tags)


def check_password(broker: Broker, name: str, password: str) -> User:
    """The user, if that is the password; LoginRefused, whose `reason` says why it isn't."""
    return broker.users.authenticate(name, password, is_loopback=True)
