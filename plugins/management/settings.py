"""What an operator decides about the management API."""

from __future__ import annotations

import re
from typing import Final

from warren.core.configuration.values import strings
from warren.core.frozen import frozen
from warren.gateway.plugin import Key, configured, number, size, whole_number

CONNECTIONS_MAX: Final = 200
"""A browser opens six, a dashboard some; each may hold an answer of some megabytes."""

ANSWERS_BYTES_MAX: Final = 64 * 1024 * 1024
"""Three lists of twenty thousand queues with everything that is known of them."""

BODY_BYTES_MAX: Final = 20 * 1024 * 1024
"""What RabbitMQ takes of definitions: some fifty thousand queues with bindings (spec F.1)."""

REQUEST_TIMEOUT_S: Final = 30.0
"""For a request to come as a whole, and for the next one to begin."""

CORS_MAX_AGE_S: Final = 1800
"""RabbitMQ's: browsers ask again after half an hour whether they may."""

ORIGINS_SYNTAX: Final = 'origins, such as ["https://console.example"], or "*" for any'

PREFIX_SYNTAX: Final = "a path such as /mq or /brokers/mq, of letters, digits, `-`, `.`, `_` and `~`"

_PREFIX: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
"""What nobody writes in two ways, and no browser takes for a way up."""

NO_ORIGINS: Final[tuple[str, ...]] = ()


def origins(value: object) -> tuple[str, ...]:
    """The parser of `management_cors_allow_origins`."""
    found = tuple(strings(value, ORIGINS_SYNTAX)) if value else ()
    if any(each != "*" and "://" not in each for each in found):
        raise ValueError(ORIGINS_SYNTAX)
    return found


def path_prefix(value: object) -> str:
    """The parser of `management_path_prefix`: `/mq` for `mq`, `/mq` and `/mq/`, as RabbitMQ takes it."""
    if not isinstance(value, str):
        raise ValueError(PREFIX_SYNTAX)
    path = value.removesuffix("/")
    if path and not path.startswith("/"):
        path = f"/{path}"
    if path and not _PREFIX.fullmatch(path):
        raise ValueError(PREFIX_SYNTAX)
    return path


@frozen
class ManagementSettings:
    """Limits of connections and requests, and who may ask from another site's page."""

    connections_max: int = configured(
        Key(
            "management_connections_max",
            whole_number(1, 100_000, "connections"),
            CONNECTIONS_MAX,
            "Connections to the management API that are served at a time; a further one is answered with 503.",
        )
    )
    answers_bytes_max: int = configured(
        Key(
            "management_answers_bytes_max",
            size(1024 * 1024, 2**40),
            ANSWERS_BYTES_MAX,
            "What long answers may hold together while they wait for their readers; the slowest reader is cut off for "
            "another one, or a further request is answered with 503. One answer alone may be longer.",
        )
    )
    body_bytes_max: int = configured(
        Key(
            "management_body_bytes_max",
            size(1024, 2**30),
            BODY_BYTES_MAX,
            "Largest body of a message or of definitions; a larger one is answered with 413, and any other of more "
            "than 1 MiB.",
        )
    )
    request_timeout_s: float = configured(
        Key(
            "management_request_timeout_s",
            number(0.1, 3600, "seconds"),
            REQUEST_TIMEOUT_S,
            "Seconds that a request may take to come as a whole, and that a connection may be idle; then it is closed.",
        )
    )
    path_prefix: str = configured(
        Key(
            "management_path_prefix",
            path_prefix,
            "",
            "Path below which the page and the API are, such as `/mq` for `/mq/` and `/mq/api`, for a proxy that sends "
            "some paths here and others elsewhere; there is nothing beside it then. Also on ports for WebSocket.",
        )
    )
    cors_allow_origins: tuple[str, ...] = configured(
        Key(
            "management_cors_allow_origins",
            origins,
            NO_ORIGINS,
            "Origins of other sites' pages that may use the API with a user's password, or `*`; none by default.",
        )
    )
    cors_max_age_s: int = configured(
        Key(
            "management_cors_max_age_s",
            whole_number(0, 86_400, "seconds"),
            CORS_MAX_AGE_S,
            "Seconds for which a browser remembers that such a page may.",
        )
    )
