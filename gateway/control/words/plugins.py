"""Words on plugins: which there are, and which words they bring."""

from __future__ import annotations

from typing import Final

from warren.gateway.control.target import Answer, Control, RefusedError, Request, table, value
from warren.gateway.control.word import Remote, word

DISABLED: Final = "disabled"
"""The state of a plugin that is installed and not named by the key `plugins`."""

COLUMNS: Final = ("name", "state", "about", "restarts", "last_error", "since", "counters")
"""Those of the plugin host's listing (gateway.plugins.listing), which isn't there without plugins."""

SHOWN: Final = ("name", "state", "restarts", "last_error")
"""The columns when none is named."""


@word(
    "[COLUMN]...",
    "plugins: those that are enabled, and those that could be",
    "Listing plugins ...",
    remote=Remote.MONITORING,
    example="name state last_error",
    lists="plugins",
)
def list_plugins(control: Control, request: Request) -> Answer:
    """Rows of the host's listing, and the other plugins of this installation."""
    from warren.gateway.configuration.plugins import PLUGINS
    from warren.gateway.control import exit_codes as codes

    columns = tuple(part for name in request.arguments for part in name.split(",") if part)
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        text = f"unknown column {', '.join(unknown)}; the columns are {' '.join(COLUMNS)}"
        raise RefusedError(text, codes.USAGE)
    enabled = control.broker.inspect("plugins", None) if "plugins" in control.broker.listings.names() else []
    there = {row["name"] for row in enabled}
    others = [{"name": name, "state": DISABLED, "restarts": 0} for name in PLUGINS if name not in there]
    return table(columns or SHOWN, [*enabled, *others])


@word("", "the words that the plugins of the running broker bring", while_stopped=True, remote=Remote.MANAGEMENT)
def list_plugin_words(control: Control, request: Request) -> Answer:
    """For people, and for the client, which hasn't these words and learns their syntax so."""
    words = list(control.plugin_words())
    return value([each.described() for each in words], "\n".join(f"{each.name}\t{each.about}" for each in words))
