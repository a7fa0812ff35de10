"""From the configuration to the chain of back-ends: what is named is loaded, nothing else is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from warren.core.access.chain import Chain, Step
from warren.core.access.internal import Internal
from warren.core.errors import StorageError
from warren.gateway.authentication.asking import AskedBackEnd
from warren.gateway.authentication.back_end import AuthenticationBackEnd, BackEndUnusableError
from warren.gateway.authentication.settings.chain import INTERNAL, AuthenticationSettings

if TYPE_CHECKING:
    from warren.adapters.interface import Options
    from warren.core.access.questions import BackEnd
    from warren.core.access.users import Users

MakeBackEnd = Callable[["Options"], AuthenticationBackEnd]


def load_chain(users: Users, options: Options, of_plugins: Mapping[str, MakeBackEnd]) -> list[AskedBackEnd]:
    """Give the users the chain that the configuration names; the back-ends that are to run while the broker does.

    Raises StorageError, which ends the start, for one that isn't there or can't be used.
    """
    settings = options.section(AuthenticationSettings)
    answers = users.answers
    answers.ttl_ms, answers.size_max = settings.ttl_ms, settings.size_max
    answers.cache_refusals = settings.cache_refusals
    asked: dict[str, AskedBackEnd] = {}
    internal = Internal(users)

    def back_end(name: str) -> BackEnd:
        if name == INTERNAL:
            return internal
        if name not in asked:
            asked[name] = AskedBackEnd(name, _make(name, options, of_plugins))
        return asked[name]

    steps = [
        Step(back_end(step.authenticates), tuple(back_end(name) for name in step.authorizes)) for step in settings.steps
    ]
    if not all(step.is_internal_alone for step in steps):
        users.chain = Chain(users, answers, steps)
    return list(asked.values())


def _make(name: str, options: Options, of_plugins: Mapping[str, MakeBackEnd]) -> AuthenticationBackEnd:
    try:
        return _maker(name, of_plugins)(options)
    except BackEndUnusableError as error:
        raise StorageError(f"the authentication back-end '{name}': {error}") from error


def _maker(name: str, of_plugins: Mapping[str, MakeBackEnd]) -> MakeBackEnd:
    if name == "http":
        from warren.gateway.authentication.http import HttpBackEnd

        return HttpBackEnd
    if name == "oauth2":
        try:
            from warren.gateway.authentication.oauth2.back_end import OAuth2BackEnd
        except ModuleNotFoundError as error:
            raise BackEndUnusableError(
                f"it needs the package {error.name}, which isn't installed: pip install 'warren-mq[oauth2]'"
            ) from error
        return OAuth2BackEnd
    if name in of_plugins:
        return of_plugins[name]
    known = ", ".join([INTERNAL, "http", "oauth2", *of_plugins])
    raise BackEndUnusableError(f"there is none of this name (auth_backends); there are {known}. Is its plugin enabled?")
