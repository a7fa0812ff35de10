"""SCRAM-SHA-256 as an authentication method of MQTT 5 (4.12): CONNECT, two AUTHs and CONNACK carry its messages.

The user name may name a virtual host as everywhere in MQTT, `vhost:user`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.errors import Refusal
from warren.adapters.session import scram
from warren.adapters.session.scram import SCRAM_SHA_256 as SCRAM_SHA_256
from warren.adapters.session.scram import Step as Step

if TYPE_CHECKING:
    from warren.core.access.users import Users


class ScramSha256:
    """One authentication."""

    __slots__ = ("_method",)

    def __init__(self, users: Users) -> None:
        self._method = scram.ScramSha256(users, vhosts_in_names=True)

    def answer(self, data: bytes) -> Step:
        """Take the client's message; Refusal (0x87) when it proves nothing, or is none of SCRAM's."""
        try:
            return self._method.answer(data)
        except scram.ScramRefused as error:
            raise Refusal(reason_codes.NOT_AUTHORIZED, str(error)) from None
