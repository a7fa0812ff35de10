"""Operations on users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json.reading import Item
from warren.core.administration.definitions_json.users import user_of_item
from warren.core.errors import PreconditionFailed

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON

ADMINISTRATOR: Final = "administrator"
"""The tag of who may do everything."""


def existing(broker: Broker, name: str) -> User:
    """The user of this name; NoSuchUser when there is none."""
    return broker.users[name]


def add(broker: Broker, name: str, password: str, tags: Iterable[str] = ()) -> User:
    """Add a user; PreconditionFailed for a name that is taken or blank, or a blank password."""
    return broker.users.add_user(name, password, tags)


def put(broker: Broker, name: str, described: Mapping[str, JSON]) -> tuple[User, bool]:
    """Make a user, or change the one that is there; the user, and True when it was made.

    described: as a definitions file has it: `tags`, a list or a text with commas, and `password`, or `password_hash`
    with `hashing_algorithm`; with none of these the user has no password.  Permissions and limits stay.  Raises
    PreconditionFailed.
    """
    before = broker.users.get(name)
    password = described.get("password")
    made = user_of_item(Item("user", {**described, "name": name}), None)
    if isinstance(password, str) and broker.users.was_added(name, password, made.tags):
        return broker.users[name], True
    was_put = broker.users.was_put(made)
    user = user_of_item(Item("user", {**described, "name": name}), before)
    if not isinstance(password, str):
        return broker.users.put_user(user), was_put or before is None
    if before is None:
        return broker.users.add_user(name, password, user.tags), True
    broker.users.change_password(name, password)
    return broker.users.set_tags(name, user.tags), False


def check_administrator_stays(broker: Broker, *names: str) -> None:
    """Raise PreconditionFailed if nobody were an administrator any more without these users, and somebody is now."""
    administrators = {user.name for user in broker.users if ADMINISTRATOR in user.tags}
    if administrators and administrators <= {*names}:
        last = ", ".join(f"'{name}'" for name in sorted(administrators))
        raise PreconditionFailed(
            f"no administrator would be left without {last}; make another user one first, or force it (--force, "
            "?force=true)"
        )


def ask_anew(broker: Broker, name: str | None = None) -> None:
    """Rely on nothing any more that other authentication back-ends have answered, about this user or anybody."""
    broker.users.ask_anew(name)
    broker.rechecks.begin()


def delete(broker: Broker, name: str, *, force: bool = True) -> None:
    """Delete a user with all permissions; NoSuchUser.

    force: although nobody would be an administrator any more, else PreconditionFailed.
    """
    if broker.users.was_deleted(name):
        return
    existing(broker, name)
    if not force:
        check_administrator_stays(broker, name)
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
    """The user, if whoever knows users says that this is the password; LoginRefused, whose `reason` says why it isn't.

    Raises Unanswered where that has to be asked (core.access.answers).
    """
    return broker.users.log_in(name, password, is_loopback=True, mechanism="PLAIN")
