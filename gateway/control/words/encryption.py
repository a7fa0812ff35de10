"""Words of rabbitmq-diagnostics on TLS: certificates, versions, ciphers."""

from __future__ import annotations

from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, value
from warren.gateway.control.word import Option, Remote, word

WITHIN: Final = Option("within", "NUMBER", "4")
UNIT: Final = Option("unit", "UNIT", "weeks")

DATE: Final = "%Y-%m-%d"


@word(
    "",
    "the certificates that listeners show, and until when each is valid",
    "Certificates of the broker on {directory} ...",
    remote=Remote.MONITORING,
)
def certificates(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    found = {file: at.isoformat() for file, at in control.server.certificates.items()}
    lines = [f"{file}: valid until {at}" for file, at in found.items()]
    return value({"result": "ok", "certificates": found}, "\n".join(lines) or "No listener uses TLS")


@word(
    "",
    "succeed if no certificate expires within so many days, weeks, months or years",
    "Checking certificates of the broker on {directory} ...",
    options=(WITHIN, UNIT),
    remote=Remote.MANAGEMENT,
    example="--within 4 --unit weeks",
)
def check_certificate_expiration(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 where one does."""
    from datetime import UTC, datetime

    from warren.core.administration import operations

    within = str(request.options.get(WITHIN.name) or WITHIN.default)
    unit = str(request.options.get(UNIT.name) or UNIT.default)
    try:
        days = operations.certificates.days_of(within, unit)
    except ValueError as error:
        raise RefusedError(f"--within and --unit have to be {error}", codes.DATA) from None
    valid_until = {file: int(at.timestamp() * 1000) for file, at in control.server.certificates.items()}
    expiring = operations.certificates.expiring(valid_until, days, control.broker.now_ms)
    if expiring:
        dates = {file: datetime.fromtimestamp(at_ms / 1000, UTC).strftime(DATE) for file, at_ms in expiring.items()}
        text = ", ".join(f"{file} on {date}" for file, date in dates.items())
        raise RefusedError(f"certificates expire: {text}", codes.SOFTWARE)
    return value({"result": "ok"}, f"No certificates are expiring within {within} {unit}")


@word("", "versions of TLS that listeners speak", remote=Remote.MONITORING)
def tls_versions(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does, of those that the configuration allows."""
    from warren.gateway.tls.settings import TlsSettings

    allowed = sorted(control.config.section(TlsSettings).versions, reverse=True)
    found = [f"tlsv{each}" for each in allowed]
    return value({"versions": found}, "\n".join(found))


@word("", "cipher suites that listeners take", "Listing cipher suites ...", remote=Remote.MONITORING)
def cipher_suites(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does in OpenSSL's names, of those that the configuration allows."""
    import ssl

    from warren.gateway.tls.ciphers import set_ciphers
    from warren.gateway.tls.settings import TlsSettings

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    set_ciphers(context, control.config.section(TlsSettings).ciphers)
    found = [str(each["name"]) for each in context.get_ciphers()]
    return value(found, "\n".join(found))
