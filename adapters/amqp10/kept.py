"""Headers by which a message carries what AMQP 1.0 says of it and AMQP 0-9-1's properties have no room for.

All of them are the broker's own (core.messages.internal_headers): consumers of other protocols don't see them.  Light,
as it is imported at every start: messages with these headers may come from disk before anybody speaks AMQP 1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.messages.internal_headers import declare_internal
from warren.core.selectors.of_message import read_kept

if TYPE_CHECKING:
    from warren.core.selectors.of_message import Read

PREFIX: Final = "x-amqp10-"

BARE: Final = "x-amqp10-bare"
"""The bare message up to its body, as it came: the properties and the application properties, as bytes.  Also says that
the message was published by AMQP 1.0; empty where it has neither."""

BODY: Final = "x-amqp10-body"
"""The beginning of the body's data section, where it isn't the shortest there is for it; or empty where the body is
sections as they came (a value, sequences, several data sections), or isn't there at all."""

FOOTER: Final = "x-amqp10-footer"
"""The footer, as it came."""

ANNOTATIONS: Final = "x-amqp10-annotations"
"""The publisher's message annotations, as they came, without descriptor."""

declare_internal(PREFIX, (BARE, BODY, FOOTER, ANNOTATIONS))


def _fields_of() -> Read:
    from warren.adapters.amqp10.fields import fields_of

    return fields_of


read_kept(BARE, _fields_of)
