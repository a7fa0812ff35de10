"""Which back-ends there are, in which order, and how long their answers are kept."""

from __future__ import annotations

import re
from typing import Final

from warren.core.access.answers import SIZE_MAX_DEFAULT, TTL_DEFAULT_MS
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import boolean, number, seconds_of, strings, whole_number
from warren.core.frozen import frozen

INTERNAL: Final = "internal"

_NAME: Final = re.compile(r"[a-z0-9_]+")

_STEPS_SYNTAX: Final = (
    "a list of back-ends, each NAME, or AUTHENTICATING/AUTHORIZING where these differ, such as internal, http or "
    "oauth2/internal"
)


@frozen
class StepNames:
    """authenticates: who says who somebody is; authorizes: all who have to allow what is done."""

    authenticates: str
    authorizes: tuple[str, ...]

    def __str__(self) -> str:
        same = self.authorizes == (self.authenticates,)
        return self.authenticates if same else f"{self.authenticates}/{'+'.join(self.authorizes)}"


INTERNAL_ALONE: Final[tuple[StepNames, ...]] = (StepNames(INTERNAL, (INTERNAL,)),)


def _steps(value: object) -> tuple[StepNames, ...]:
    found = []
    for entry in strings(value, _STEPS_SYNTAX):
        authenticates, slash, rest = entry.partition("/")
        authorizes = tuple(rest.split("+")) if slash else (authenticates,)
        if not all(_NAME.fullmatch(name) for name in (authenticates, *authorizes)):
            raise ValueError(_STEPS_SYNTAX)
        found.append(StepNames(authenticates, authorizes))
    if not found:
        raise ValueError(_STEPS_SYNTAX)
    return tuple(found)


@frozen
class AuthenticationSettings:
    """Which back-ends there are, in which order, and how long their answers are kept."""

    steps: tuple[StepNames, ...] = configured(
        Key(
            "auth_backends",
            _steps,
            INTERNAL_ALONE,
            "Who is asked when somebody logs in, one after the other until one says yes: `internal` (the broker's own "
            "users), `http`, `oauth2`, or a back-end of a plugin. `oauth2/internal` has the one say who somebody is, "
            "and the other what that user may do; `a/b+c` asks two for that. See "
            "[authentication.md](authentication.md).",
        )
    )
    ttl_ms: int = configured(
        Key(
            "auth_cache_ttl_s",
            number(1, 86_400, "seconds"),
            TTL_DEFAULT_MS / 1000,
            "How long answers of other back-ends are kept, in seconds. What goes on by a right is asked for again that "
            "often.",
            rabbitmq=("auth_cache.cache_ttl",),
            from_rabbitmq=seconds_of,
        ),
        milliseconds,
    )
    size_max: int = configured(
        Key(
            "auth_cache_size_max",
            whole_number(100, 10_000_000),
            SIZE_MAX_DEFAULT,
            "Most answers of other back-ends that are kept; the oldest go first.",
        )
    )
    cache_refusals: bool = configured(
        Key(
            "auth_cache_refusals",
            boolean,
            False,
            "Whether refusals are kept as well, and not only what is allowed.",
            rabbitmq=("auth_cache.cache_refusals",),
        )
    )

    @property
    def is_internal_alone(self) -> bool:
        """Whether the broker's own users are all that are asked."""
        return all({step.authenticates, *step.authorizes} == {INTERNAL} for step in self.steps)
