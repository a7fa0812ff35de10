"""A certificate and its key from files into a TLS context, with errors that say which file and why."""

from __future__ import annotations

import logging
import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from warren.core.frozen import frozen
from warren.gateway.configuration.config import ConfigError
from warren.gateway.tls.certificate import Certificate, first_certificate

_log = logging.getLogger("warren.tls")

EXPIRES_SOON: Final = timedelta(days=14)
"""Left of a certificate's time when that is said in the log: who renews does so earlier."""

FILE_BYTES_MAX: Final = 1024 * 1024
"""A chain of certificates is a few kilobytes; more is a mistake in the file's name."""

_REASONS: Final = {
    "KEY_VALUES_MISMATCH": "the key {key} doesn't belong to the certificate {certificate}",
    "KEY_TYPE_MISMATCH": "the key {key} doesn't belong to the certificate {certificate}",
    "BAD_DECRYPT": "the key {key} is encrypted, and tls_key_password isn't its password",
    "BAD_PASSWORD_READ": "the key {key} is encrypted: set tls_key_password",
    "EE_KEY_TOO_SMALL": "the key of {certificate} is too short to be safe; make one of 2048 bits (RSA) or 256 (EC)",
    "CA_MD_TOO_WEAK": "the certificate {certificate} is signed with a hash that is not safe any more",
}


@frozen
class Loaded:
    """A context with its certificate, the server names that this is for, in lower case, and until when it is valid."""

    context: ssl.SSLContext
    server_names: tuple[str, ...]
    not_after: datetime


def load_certificate(
    context: ssl.SSLContext, certificate_file: Path, key_file: Path | None, password: str, now_ms: int
) -> Loaded:
    """Load both into the context; without a key file, the key is in the file of the certificate.

    now_ms: the time, for which the validity is looked at: that is only a warning, since the clock may be at fault.
    Raises ConfigError.
    """
    certificate = _read_certificate(certificate_file)
    key = key_file or certificate_file
    _check_key(key)
    try:
        # Without the function, OpenSSL would ask for a password at the terminal.
        context.load_cert_chain(certificate_file, key, lambda: password)
    except ssl.SSLError as error:
        text = _REASONS.get(
            error.reason or "", "the key {key} and the certificate {certificate} can't be used: {error}"
        )
        if error.reason in (None, "PEM lib", "PEM_LIB", "NO_START_LINE"):
            text = "there is no private key in {key} that can be read with tls_key_password (it has to be PEM)"
        raise ConfigError(text.format(key=key, certificate=certificate_file, error=error)) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{certificate_file}, {key}: {error}") from None
    _check_validity(certificate, certificate_file, datetime.fromtimestamp(now_ms / 1000, UTC))
    names = certificate.names_of("dns") or list(certificate.common_names)
    return Loaded(context, tuple(name.lower() for name in names), certificate.not_after)


def _read_certificate(path: Path) -> Certificate:
    try:
        with open(path, "rb") as file:
            return first_certificate(file.read(FILE_BYTES_MAX))
    except OSError as error:
        raise ConfigError(f"the certificate {path} can't be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"the certificate {path} can't be used: {error}") from None


def _check_key(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise ConfigError(f"the key {path} can't be read: {error.strerror or error}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        _log.warning("everybody on this machine can read the key %s; take that away: chmod o-rwx %s", path, path)


def _check_validity(certificate: Certificate, path: Path, now: datetime) -> None:
    if now > certificate.not_after:
        _log.error(
            "the certificate %s has expired on %s: clients will refuse it; renew it", path, certificate.not_after
        )
    elif now < certificate.not_before:
        _log.error(
            "the certificate %s is valid only from %s: clients will refuse it until then; see to the clock",
            path,
            certificate.not_before,
        )
    elif certificate.not_after - now < EXPIRES_SOON:
        _log.warning("the certificate %s expires on %s; renew it before", path, certificate.not_after)
