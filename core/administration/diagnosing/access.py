"""Who can come in: well-known passwords, and listeners that carry passwords in the open."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from warren.core.access import passwords
from warren.core.access.mosquitto_passwords import PBKDF2_SHA512
from warren.core.administration.diagnosing import catalogue
from warren.core.administration.diagnosing.finding import Place, Severity
from warren.core.clients.transport import is_loopback

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.administration.diagnosing.surroundings import Port

WELL_KNOWN: Final = (
    "guest",
    "admin",
    "administrator",
    "password",
    "secret",
    "changeme",
    "test",
    "rabbitmq",
    "rabbit",
    "warren",
    "mosquitto",
    "mqtt",
    "123456",
)
"""And the user's own name, with which every list begins."""

WORK_OF_USER: Final = 30
"""A hash for each of those, if a look at a queue is 1."""

METRICS: Final = "http/prometheus"


def examine_users(exam: Examination) -> Generator[None, None, None]:
    """Each user with a password of the broker's own.

    Hashes that are slow on purpose aren't tried: a dozen of them would take a second.
    """
    reachable = [port for port in exam.surroundings.ports if _is_reachable(port) and port.protocol != METRICS]
    for user in list(exam.broker.users):
        exam.count("users")
        if user.password_hash != passwords.NO_PASSWORD and user.hashing_algorithm != PBKDF2_SHA512:
            _examine_user(exam, user, reachable)
            if exam.has_worked(WORK_OF_USER):
                yield


def _examine_user(exam: Examination, user: User, reachable: list[Port]) -> None:
    tried = dict.fromkeys((user.name, *WELL_KNOWN))
    if not any(passwords.verify(each, user.password_hash, user.hashing_algorithm) for each in tried):
        return
    tags = ", ".join(sorted(user.tags)) or "no tags"
    if user.name in exam.broker.users.loopback_users:
        place = Place("", "user", user.name, f"{tags}; may log in from this machine only (loopback_users)")
        exam.report(catalogue.DEFAULT_PASSWORD_LOCAL, place)
    elif reachable:
        where = ", ".join(f"{each.protocol} on {each.host}:{each.port}" for each in reachable[:3])
        place = Place("", "user", user.name, f"{tags}; may log in from other machines, by {where}", _change(user))
        exam.report(catalogue.DEFAULT_PASSWORD, place, Severity.ERROR)
    else:
        place = Place("", "user", user.name, f"{tags}; nothing listens on an address that others reach", _change(user))
        exam.report(catalogue.DEFAULT_PASSWORD, place)


def _change(user: User) -> str:
    return f"warren change_password {user.name}" if user.name.isalnum() else ""


def examine_ports(exam: Examination) -> Generator[None, None, None]:
    """Each address that is listened on."""
    for port in exam.surroundings.ports:
        exam.count("listeners")
        if not port.tls and _is_reachable(port):
            place = Place("", "listener", f"{port.protocol} on {port.host}:{port.port}", "it isn't encrypted")
            severity = Severity.NOTICE if port.protocol == METRICS else None  # no passwords, no messages
            exam.report(catalogue.PLAIN_LISTENER, place, severity)
    yield


def _is_reachable(port: Port) -> bool:
    return not is_loopback(port.host) and port.host != "localhost"
