"""`warren init`: a warren.toml with every key in it, each with its default behind a `#` and what it is for above it.

Nothing in it says anything yet, so a broker that reads it is one without it; whoever wants something else takes a `#`
away.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from warren.core.configuration.key import Key, keys_of
from warren.core.configuration.values import Watermark
from warren.gateway.configuration.catalogue import plugin_keys, sections
from warren.gateway.configuration.plugins import PLUGINS, PluginUnusableError
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.client import CommandFailedError

WIDTH: Final = 100

HEAD: Final = """# The configuration of a Warren broker.  Every key is here with its default; to change one, take the
# sign # before it away.  `warren check` says what is wrong with this file, docs/configuration.md tells
# more, and `kill -HUP` has a running broker read it again (docs/logs.md says what counts then).
"""

EXAMPLES: Final = {
    "data_directory": '"/var/lib/warren"',
    "listen": '["amqp=localhost:5672", "mqtt=*:1883"]',
    "listen_by_protocol": '["mqtt=*:1883"]',
    "cluster_name": '"warren@host"',
    "plugins": '["shovel"]',
    "shovel_static": "{}",
    "otel_headers": '"x-api-key=secret"',
    "ready_file": '"/run/warren/ready.json"',
    "load_definitions": '"definitions.json"',
    "default_queue_type": '"quorum"',
    "tls_certificate_file": '"/etc/warren/server.pem"',
    "tls_key_file": '"/etc/warren/server.key"',
    "tls_key_password": '"secret"',
    "tls_ca_file": '"/etc/warren/clients.pem"',
    "auth_http_ca_file": '"/etc/warren/back-end.pem"',
    "auth_http_certificate_file": '"/etc/warren/client.pem"',
    "auth_http_key_file": '"/etc/warren/client.key"',
    "auth_oauth2_resource_server_id": '"warren"',
    "auth_oauth2_scope_prefix": '"warren."',
    "auth_oauth2_additional_scopes_key": '"extra_scope"',
    "auth_oauth2_issuer": '"https://issuer.example.org"',
    "auth_oauth2_default_key": '"key-1"',
    "auth_oauth2_jwks_url": '"https://issuer.example.org/keys"',
    "auth_oauth2_ca_file": '"/etc/warren/issuer.pem"',
    "amqp10_anonymous_user": '"guest"',
    "management_oauth_client_id": '"warren-page"',
    **dict.fromkeys(
        (
            "connection_max",
            "channel_max_per_node",
            "cluster_queue_limit",
            "cluster_exchange_limit",
            "vhost_max",
            "consumer_max_per_channel",
        ),
        '"infinity"',
    ),
}
"""Of keys without a default, with one that depends on the machine, or that nobody would guess the form of."""


MAY_BE: Final = ('""', '"something"', '"https://example.org/"', "1")
"""What a key without a default may be, if nothing better stands above."""


def write(file: Path, *, force: bool) -> None:
    """Write it.  Raises CommandFailedError when there is such a file already, unless it is to be replaced."""
    try:
        with open(file, "w" if force else "x", encoding="utf-8") as opened:
            opened.write(text())
    except FileExistsError:
        raise CommandFailedError(f"{file} is there already; --force replaces it", codes.CONFIG) from None
    except OSError as error:
        raise CommandFailedError(f"{file} can't be written: {error.strerror or error}", codes.CONFIG) from None


def text() -> str:
    """The whole file."""
    return "\n".join([HEAD, *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    shown: set[str] = set()
    for section in sections():
        # Several sections may have a key, such as the name of the cluster.
        own = [key for key in keys_of(section) if key.name not in shown]
        shown.update(key.name for key in own)
        if own:
            yield _title(section)
        for key in own:
            yield from _about(key)
    for name in PLUGINS:
        try:
            keys = plugin_keys([name])
        except PluginUnusableError:
            continue
        if keys:
            yield f"## Keys of the plugin {name}, which count while it is enabled\n"
        for key in keys.values():
            yield from _about(key)


def _title(section: type[object]) -> str:
    about = (section.__doc__ or "").strip().splitlines()[0].rstrip(".")
    return f"## {about}\n"


def _about(key: Key[Any]) -> Iterator[str]:
    yield from textwrap.wrap(
        key.about, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
    )
    yield f"#{key.name} = {value_of(key)}\n"


def value_of(key: Key[Any]) -> str:
    """What one would write for the default; where there is none, something that may be."""
    if key.name in EXAMPLES:
        return EXAMPLES[key.name]
    if key.default is None or key.default == "":
        return next((each for each in MAY_BE if _is_taken(key, each)), '""')
    return _toml(key.default)


def _is_taken(key: Key[Any], written: str) -> bool:
    try:
        key.parse(json.loads(written))
    except ValueError:
        return False
    return True


def _toml(value: object) -> str:
    """Strings of JSON are such of TOML, too."""
    if isinstance(value, Watermark):
        return str(value.relative)
    if isinstance(value, frozenset | tuple):
        entries = sorted(map(str, value)) if isinstance(value, frozenset) else [str(each) for each in value]
        return json.dumps(entries)
    return json.dumps(str(value) if isinstance(value, Path) else value)
