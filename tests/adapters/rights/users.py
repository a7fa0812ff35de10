"""Whose users try it: those of the broker's own, and those whom another back-end knows or whose rights it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from tests.adapters.rights.operation import ANY, ENTER, GENERATED, PASSWORD, USER
from tests.support.other_back_ends import Atom, TableBackEnd, TableUser, use_chain
from tests.support.simulated_broker import SimulatedBroker


def own_user(broker: SimulatedBroker, rights: set[Atom]) -> None:
    """A user of the broker's own, with permissions that allow exactly these rights."""
    users = broker.broker.users
    users.add_user(USER, PASSWORD)
    if ENTER in rights:
        users.set_permissions(USER, "/", *(_expression(rights, verb) for verb in ("configure", "write", "read")))
        for exchange in ("t", "amq.topic"):
            keys = [
                _alternatives({right[3] for right in rights if right[:3] == (verb, "topic", exchange)})
                for verb in ("write", "read")
            ]
            users.set_topic_permissions(USER, "/", exchange, *keys)


def _expression(rights: set[Atom], verb: str) -> str:
    return _alternatives({right[2] for right in rights if right[0] == verb and right[1] != "topic"})


def _alternatives(names: set[str]) -> str:
    found = [
        "|".join(f"{re.escape(begin)}.*" for begin in GENERATED) if name == ANY else re.escape(name)
        for name in sorted(names)
    ]
    return f"^({'|'.join(found)})$" if found else "^$"


def other_user(broker: SimulatedBroker, rights: set[Atom], *, later: bool) -> None:
    """A user whom another back-end knows."""
    back_end = Named()
    back_end.users[USER] = TableUser(PASSWORD, rights=rights)
    if later:
        back_end.answers_later(broker.broker)
    use_chain(broker.broker, None, back_end)


def mixed_user(broker: SimulatedBroker, rights: set[Atom]) -> None:
    """One whom another back-end knows, and whose permissions are in the broker."""
    own_user(broker, rights)
    broker.broker.users.change_password(USER, "another")
    back_end = Named()
    back_end.users[USER] = TableUser(PASSWORD)
    use_chain(broker.broker, (back_end, [None]))


def other_rights(broker: SimulatedBroker, rights: set[Atom]) -> None:
    """One of the broker's own, whose rights are another's to say."""
    broker.broker.users.add_user(USER, PASSWORD)
    back_end = Named()
    back_end.users[USER] = TableUser(PASSWORD, rights=rights)
    back_end.answers_later(broker.broker)
    use_chain(broker.broker, (None, [back_end]))


class Named(TableBackEnd):
    """Takes names that the broker made up for ANY."""

    def allows(self, user: TableUser, atom: Atom) -> bool:
        if len(atom) == 3 and atom[2].startswith(GENERATED):
            atom = (*atom[:2], ANY)
        return super().allows(user, atom)


USERS: Mapping[str, Callable[[SimulatedBroker, set[Atom]], None]] = {
    "own": own_user,
    "another's": partial(other_user, later=False),
    "another's, later": partial(other_user, later=True),
    "another's with own permissions": mixed_user,
    "own with another's rights": other_rights,
}
