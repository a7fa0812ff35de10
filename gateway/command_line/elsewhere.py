"""The whole line that starts a broker whose addresses can be had, for who has typed one that can't."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.core.errors import StorageError
from warren.gateway.configuration.sources import RABBITMQ_SUFFIX
from warren.gateway.network.addresses import Listener, changed_listeners, listeners
from warren.gateway.network.unusable import AddressesUnusableError
from warren.gateway.protocols import PROTOCOLS

if TYPE_CHECKING:
    from warren.gateway.command_line.serve_options import ServeOptions

FLAGS: Final = (
    ("data_dir", "--data-dir"),
    ("config", "--config"),
    ("ready_file", "--ready-file"),
    ("log_level", "--log-level"),
    ("log_format", "--log-format"),
    ("cluster", "--cluster"),
    ("node_name", "--node-name"),
)
"""Options with one value, as the command has them and as they are typed."""

HIDDEN: Final = "..."
"""In place of what may be a password."""


def with_the_line(error: AddressesUnusableError, given: ServeOptions, file: Path | None) -> StorageError:
    """The same error, and how to start the broker as it was started, but for the addresses.

    given: what was typed.  file: the configuration that was read, if there is one.
    """
    told = error.text("--listen-only") if "listen_only" in given else str(error)
    text = f"{told}\nThe whole line:\n    {line(given, error.instead)}"
    if file is not None and file.suffix != RABBITMQ_SUFFIX and "listen_only" not in given:
        text += f"\nThe same for good, in {file}:\n    listen_by_protocol = {json.dumps([*map(str, error.instead)])}"
    return StorageError(text)


def line(given: ServeOptions, instead: Sequence[Listener]) -> str:
    """`warren serve` with these options, and these addresses for the protocols that they are of."""
    words = ["warren", "serve", *(["--in-memory"] if given.get("in_memory") else [])]
    words += ["--cluster-import"] if given.get("cluster_import") else []
    for name, flag in FLAGS:
        value = given.get(name)
        words += [flag, str(value)] if value is not None else []
    for each in given.get("settings", ()):
        name, _, value = each.partition("=")
        words += ["--set", f"{name}={HIDDEN if _is_secret(name.strip()) else value}"]
    names = {each.name for each in instead}
    if only := given.get("listen_only"):
        for listener in changed_listeners(listeners(PROTOCOLS)(only), instead):
            words += ["--listen-only", str(listener)]
        return shlex.join(words)
    for each in given.get("listen", ()):
        if each.partition("=")[0].strip().lower() not in names:
            words += ["--listen", each]
    for listener in instead:
        words += ["--listen", str(listener)]
    return shlex.join(words)


def _is_secret(name: str) -> bool:
    from warren.gateway.configuration.catalogue import known_key

    key = known_key(name)
    return key is None or key.secret
