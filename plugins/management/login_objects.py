"""Answers about logins; see objects.py."""

from __future__ import annotations

from msgspec import UNSET

from warren.plugins.management.objects import Missing, Object, WhoAmI


class Token(Object):
    """What follows the word in an Authorization header."""

    type: str
    value: str


class LoggedIn(Object):
    token: Token
    user: WhoAmI


class Attempts(Object):
    protocol: str
    auth_attempts: int
    auth_attempts_failed: int
    auth_attempts_succeeded: int
    remote_address: str | Missing = UNSET
    username: str | Missing = UNSET
