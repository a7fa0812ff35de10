"""`warren user add NAME`: asks for what a user needs, and has the running broker add it, all of it or nothing.

Where a person sits at a terminal, what no option says is asked for: the password, twice and unseen, what the user is
for, and in which virtual host.  Otherwise the first line of standard input is the password, and the rest is as by
default.  `warren ctl add_user` is the same for who knows rabbitmqctl, with options for each right.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from warren.gateway.command_line.ctl import where_of
from warren.gateway.command_line.ctl_options import TIMEOUT_DEFAULT_S, Parsed
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.api_client import Where, ask
from warren.gateway.control.client import CommandFailedError

ALL: Final = ".*"
NONE: Final = ""
"""Expressions for names: every one, and no one."""

VHOST_DEFAULT: Final = "/"

ATTEMPTS_MAX: Final = 3
"""How often something is asked for again before it is given up, so that no program that types asks for ever."""


class Role(NamedTuple):
    """What users are mostly for.  about: completes "may".  permissions: configure, write and read in a virtual host;
    None where the user needs none.
    """

    about: str
    permissions: tuple[str, str, str] | None
    tags: tuple[str, ...] = ()


ROLES: Final[Mapping[str, Role]] = {
    "application": Role("declare, publish and consume: everything in one virtual host", (ALL, ALL, ALL)),
    "publisher": Role("publish to exchanges and queues that are there", (NONE, ALL, NONE)),
    "consumer": Role("consume from queues that are there", (NONE, NONE, ALL)),
    "monitoring": Role("look at everything by the API and the page, and change nothing", None, ("monitoring",)),
    "administrator": Role("do everything, users and virtual hosts included", (ALL, ALL, ALL), ("administrator",)),
}

ROLE_DEFAULT: Final = "application"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed; see commands.py."""

    name: str
    vhost: str | None = None
    role: str | None = None
    configure: str | None = None
    write: str | None = None
    read: str | None = None
    tags: str | None = None
    data_dir: str | None = None
    config: str | None = None
    url: str | None = None


@dataclass(slots=True)
class Adding:
    """One run.  is_person: somebody sits there who can be asked.  answer: asks for a line, secret: for one unseen."""

    wanted: Wanted
    is_person: bool
    answer: Callable[[str], str] = input
    secret: Callable[[str], str] | None = None
    say: Callable[[str], None] = print
    _where: Where | None = field(default=None, init=False)

    def run(self) -> None:
        """Do all of it.  Raises CommandFailedError, and then there is no such user."""
        self._check_options()
        users, vhosts = self._names("list_users", "user"), self._names("list_vhosts", "name")
        name = self.wanted.name
        if name in users:
            raise CommandFailedError(
                f"user '{name}' already exists; `warren ctl change_password {name}` gives it another password, "
                f"`warren ctl set_permissions` other rights",
                codes.DATA,
            )
        if self.wanted.vhost is not None:
            _check_vhost(self.wanted.vhost, vhosts)
        password = self._password()
        role = self._role()
        permissions = self._permissions(role)
        vhost = self._vhost(vhosts) if permissions is not None else VHOST_DEFAULT
        tags = role.tags if self.wanted.tags is None else tuple(each for each in self.wanted.tags.split(",") if each)
        options: dict[str, object] = {"tags": ",".join(tags)} if tags else {}
        if permissions is not None:
            options |= {"vhost": vhost, **dict(zip(("configure", "write", "read"), permissions, strict=True))}
        self._ask("add_user", [name, password], options)
        self.say(_done(name, vhost, permissions, tags))

    def _check_options(self) -> None:
        role = self.wanted.role
        if role is not None and role not in ROLES:
            raise CommandFailedError(f"there is no role '{role}'; they are {', '.join(ROLES)}", codes.USAGE)

    def _password(self) -> str:
        if not self.is_person:
            found = sys.stdin.readline().rstrip("\r\n")
            if not found:
                raise CommandFailedError("a password is needed: give it as the first line of the input", codes.USAGE)
            return found
        secret = self.secret or _unseen
        for _ in range(ATTEMPTS_MAX):
            found = self._told(secret, "Password: ")
            if not found:
                self.say("A password can't be blank.")
            elif self._told(secret, "The same once more: ") == found:
                return found
            else:
                self.say("These were not the same.")
        raise CommandFailedError("no user was added", codes.USAGE)

    def _role(self) -> Role:
        wanted = self.wanted
        if wanted.role is not None:
            return ROLES[wanted.role]
        if any(each is not None for each in (wanted.configure, wanted.write, wanted.read)):
            return Role("", (NONE, NONE, NONE))
        if wanted.tags is not None or not self.is_person:
            return ROLES[ROLE_DEFAULT]
        names = list(ROLES)
        width = max(map(len, names))
        self.say(f"What may {wanted.name} do?")
        for number, (each, role) in enumerate(ROLES.items(), 1):
            self.say(f"  {number}  {each:<{width}}  {role.about}")
        self.say("(For an MQTT device with topics of its own there is: warren ctl add_device NAME)")
        for _ in range(ATTEMPTS_MAX):
            given = self._told(self.answer, "Number or name [1]: ").strip() or "1"
            if given in ROLES:
                return ROLES[given]
            if given.isascii() and given.isdigit() and 0 < int(given) <= len(names):
                return ROLES[names[int(given) - 1]]
            self.say(f"'{given}' is none of them.")
        raise CommandFailedError("no user was added", codes.USAGE)

    def _permissions(self, role: Role) -> tuple[str, str, str] | None:
        given = (self.wanted.configure, self.wanted.write, self.wanted.read)
        if role.permissions is None and not any(each is not None for each in given):
            return None
        configure, write, read = role.permissions or (NONE, NONE, NONE)
        return tuple(  # type: ignore[return-value]  # of three
            default if each is None else each for each, default in zip(given, (configure, write, read), strict=True)
        )

    def _vhost(self, vhosts: Sequence[str]) -> str:
        if self.wanted.vhost is not None or not self.is_person:
            found = self.wanted.vhost or VHOST_DEFAULT
            _check_vhost(found, vhosts)
            return found
        for _ in range(ATTEMPTS_MAX):
            found = self._told(self.answer, f"In which virtual host [{VHOST_DEFAULT}]: ").strip() or VHOST_DEFAULT
            if found in vhosts:
                return found
            self.say(_no_vhost(found, vhosts))
        raise CommandFailedError("no user was added", codes.USAGE)

    def _told(self, asks: Callable[[str], str], question: str) -> str:
        try:
            return asks(question)
        except EOFError:
            self.say("")
            raise CommandFailedError("no user was added", codes.USAGE) from None

    def _names(self, word: str, column: str) -> list[str]:
        rows = cast("list[Mapping[str, object]]", self._ask(word, [], {})["rows"])
        return [str(each[column]) for each in rows]

    def _ask(self, word: str, arguments: Sequence[str], options: Mapping[str, object]) -> dict[str, object]:
        if self._where is None:
            given = {"data_dir": self.wanted.data_dir, "config": self.wanted.config, "url": self.wanted.url}
            self._where = where_of(Parsed((), {name: value for name, value in given.items() if value is not None}))
        try:
            return ask(self._where, word, arguments, options, TIMEOUT_DEFAULT_S)
        except CommandFailedError as error:
            if error.exit_code != codes.UNAVAILABLE or self.wanted.url is not None:
                raise
            text = (
                f"{error}\nUsers are added to a broker that runs; --data-dir says which one. One that was started with "
                "--in-memory alone can't be asked: give it a user with --set default_user=NAME --set "
                "default_pass=PASSWORD"
            )
            raise CommandFailedError(text, error.exit_code) from None


def run(wanted: Wanted) -> None:
    """Add a user.  Raises CommandFailedError, ConfigError."""
    Adding(wanted, sys.stdin.isatty()).run()


def _unseen(question: str) -> str:
    import getpass

    return getpass.getpass(question)


def _check_vhost(name: str, vhosts: Sequence[str]) -> None:
    if name not in vhosts:
        raise CommandFailedError(_no_vhost(name, vhosts), codes.DATA)


def _no_vhost(name: str, vhosts: Sequence[str]) -> str:
    return f"There is no virtual host '{name}', there is {', '.join(vhosts)}; `warren ctl add_vhost {name}` makes one."


def _done(name: str, vhost: str, permissions: tuple[str, str, str] | None, tags: Sequence[str]) -> str:
    """What the user may do now."""
    said = [f"Added the user '{name}', who may log in from anywhere"]
    if permissions is not None:
        configure, write, read = (each or "''" for each in permissions)
        said.append(f"in the virtual host '{vhost}' it may configure {configure}, write {write} and read {read}")
    if tags:
        said.append(f"its tags are {', '.join(tags)}")
    return "; ".join(said)
