"""Authentication back-ends in a rabbitmq.conf: which there are, and the lists of the back-end `oauth2`.

    auth_backends.1 = internal                     one for both
    auth_backends.2.authn = http                   who says who somebody is
    auth_backends.2.authz = internal               who says what that user may do
    auth_backends.3 = cache                        what auth_cache.cached_backend names: all answers are kept here
    auth_oauth2.signing_keys.KEY_ID = FILE
    auth_oauth2.algorithms.1 = RS256
    auth_oauth2.preferred_username_claims.1 = user_name
    auth_oauth2.scope_aliases.ALIAS = SCOPES       or scope_aliases.1.alias and scope_aliases.1.scope

Back-ends may be named as RabbitMQ's modules are, such as rabbit_auth_backend_http.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from warren.gateway.configuration.given import Weight
from warren.gateway.configuration.rabbitmq_conf.reading import Reading
from warren.gateway.configuration.rabbitmq_conf.syntax import words_of

_MODULE_PREFIX: Final = "rabbit_auth_backend_"

_NAMES: Final = {"oauth": "oauth2", "uaa": "oauth2"}
"""RabbitMQ's other names."""

_CACHE: Final = "cache"

_BACKENDS: Final = "auth_backends"
_CACHED: Final = "auth_cache.cached_backend"
_ALIASES: Final = "auth_oauth2.scope_aliases"

_LISTS: Final = (
    ("auth_oauth2.algorithms", "auth_oauth2_algorithms"),
    ("auth_oauth2.preferred_username_claims", "auth_oauth2_preferred_username_claims"),
)

NAMES_OF_FAMILIES: Final = (
    f"{_BACKENDS}.1",
    f"{_BACKENDS}.1.authn",
    f"{_BACKENDS}.1.authz",
    _CACHED,
    "auth_oauth2.signing_keys.1",
    *(f"{family}.1" for family, _ in _LISTS),
    f"{_ALIASES}.1",
)
"""For suggestions."""


def read_authentication(reading: Reading) -> None:
    """Give the keys of back-ends.  Raises ConfigError for what names none."""
    _read_back_ends(reading)
    for family, key in _LISTS:
        listed = sorted(reading.take_under(family), key=lambda each: _number(each[1]))
        if listed:
            reading.give(", ".join(each[0] for each in listed), key, [value for _, _, value in listed])
    keys = list(reading.take_under("auth_oauth2.signing_keys"))
    if keys:
        written = ", ".join(each[0] for each in keys)
        reading.give(written, "auth_oauth2_signing_keys", {name: value for _, name, value in keys})
    _read_aliases(reading)


def _read_back_ends(reading: Reading) -> None:
    cached = _step(reading, _CACHED) or ("internal", "internal")
    numbers: dict[str, None] = {}
    written: list[str] = []
    for key in _under(reading, _BACKENDS):
        words = words_of(key)
        if len(words) == 2 or (len(words) == 3 and words[2] in ("authn", "authz")):
            numbers[words[1]] = None
            written.append(key)
    steps: list[str] = []
    is_cache_used = False
    for number in sorted(numbers, key=_number):
        authenticates, authorizes = _step(reading, f"{_BACKENDS}.{number}") or cached
        if _CACHE in (authenticates, authorizes):
            is_cache_used = True
            authenticates = cached[0] if authenticates == _CACHE else authenticates
            authorizes = cached[1] if authorizes == _CACHE else authorizes
        steps.append(authenticates if authenticates == authorizes else f"{authenticates}/{authorizes}")
    of_cache = list(_under(reading, _CACHED))
    if of_cache and not is_cache_used:
        reading.remark(Weight.WARNING, f"{', '.join(of_cache)}: ignored: {_BACKENDS} doesn't name cache")
    if steps and steps != ["internal"] * len(steps):
        reading.give(", ".join(written), "auth_backends", list(dict.fromkeys(steps)))


def _step(reading: Reading, key: str) -> tuple[str, str] | None:
    """Who says who somebody is, and what that user may do; None where the file doesn't say."""
    both = reading.take(key)
    authenticates, authorizes = reading.take(f"{key}.authn"), reading.take(f"{key}.authz")
    first = authenticates or both or authorizes
    second = authorizes or both or authenticates
    if first is None or second is None:
        return None
    return _name_of(reading, key, first), _name_of(reading, key, second)


def _name_of(reading: Reading, key: str, value: str) -> str:
    name = value.removeprefix(_MODULE_PREFIX)
    if not re.fullmatch("[a-z0-9_]+", name):
        reading.refuse(f"{key} = {value!r}: must be the name of an authentication back-end")
    return _NAMES.get(name, name)


def _read_aliases(reading: Reading) -> None:
    found = {name: value for _, name, value in reading.take_under(_ALIASES)}
    written = [f"{_ALIASES}.{name}" for name in found]
    for key in _under(reading, _ALIASES):
        words = words_of(key)
        if len(words) != 4 or words[-1] not in ("alias", "scope"):
            continue
        front = key.rpartition(".")[0]
        alias, scopes = reading.take(f"{front}.alias"), reading.take(f"{front}.scope")
        if alias and scopes:
            found[alias] = scopes
            written.append(key)
        else:
            reading.remark(Weight.WARNING, f"{key}: ignored: an alias has both, {front}.alias and {front}.scope")
    if found:
        reading.give(", ".join(written), "auth_oauth2_scope_aliases", found)


def _under(reading: Reading, key: str) -> Iterator[str]:
    head = words_of(key)
    return (written for written in list(reading.entries) if words_of(written)[: len(head)] == head)


def _number(word: str) -> tuple[int, str]:
    return (int(word), "") if word.isascii() and word.isdigit() else (2**31, word)
