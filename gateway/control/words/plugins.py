"""Words on plugins."""

from __future__ import annotations

from warren.gateway.control.target import Answer, Control, Request, value
from warren.gateway.control.word import word


@word("", "the words that the plugins of the running broker bring", while_stopped=True)
def list_plugin_words(control: Control, request: Request) -> Answer:
    """For people, and for the client, which hasn't these words and learns their syntax so."""
    words = list(control.plugin_words())
    return value([each.described() for each in words], "\n".join(f"{each.name}\t{each.about}" for each in words))
