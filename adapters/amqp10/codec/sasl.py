"""The frames of SASL (part 5, 5.3.3)."""

from __future__ import annotations

from typing import Final

from warren.adapters.amqp10.codec.composites import SYMBOLS, Composite, Place, declare

OK: Final = 0
AUTH: Final = 1
SYS: Final = 2
SYS_PERM: Final = 3
SYS_TEMP: Final = 4
"""Codes of an outcome (5.3.3.6)."""


class SaslMechanisms:
    """5.3.3.1."""

    def __init__(self, sasl_server_mechanisms: list[str] | None = None) -> None:
        self.sasl_server_mechanisms = sasl_server_mechanisms or []


class SaslInit:
    """5.3.3.2."""

    def __init__(self) -> None:
        self.mechanism = ""
        self.initial_response: bytes | None = None
        self.hostname: str | None = None


class SaslChallenge:
    """5.3.3.3."""

    def __init__(self, challenge: bytes = b"") -> None:
        self.challenge = challenge


class SaslResponse:
    """5.3.3.4."""

    def __init__(self, response: bytes = b"") -> None:
        self.response = response


class SaslOutcome:
    """5.3.3.5."""

    def __init__(self, code: int = OK, additional_data: bytes | None = None) -> None:
        self.code = code
        self.additional_data = additional_data


declare(Composite("sasl-mechanisms", 0x40, SaslMechanisms, (Place("sasl_server_mechanisms", SYMBOLS, mandatory=True),)))
declare(
    Composite(
        "sasl-init",
        0x41,
        SaslInit,
        (
            Place("mechanism", "symbol", mandatory=True),
            Place("initial_response", "binary"),
            Place("hostname", "string"),
        ),
    )
)
declare(Composite("sasl-challenge", 0x42, SaslChallenge, (Place("challenge", "binary", mandatory=True),)))
declare(Composite("sasl-response", 0x43, SaslResponse, (Place("response", "binary", mandatory=True),)))
declare(
    Composite(
        "sasl-outcome", 0x44, SaslOutcome, (Place("code", "ubyte", mandatory=True), Place("additional_data", "binary"))
    )
)
