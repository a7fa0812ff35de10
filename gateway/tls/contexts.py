"""The certificates that the broker shows: a TLS context per certificate, chosen by server name, renewed with the files.

Whoever renews certificates replaces files and wants to think of nothing more.  So the files are looked at before a new
connection is accepted, at most once a second: when one has changed, all are loaded again.  Files that can't be used
(half written, key and certificate from different times) are one line in the log, the old certificate stays, and the
next change is the next try.  Connections that exist keep the context they began with.

A client that asks for a server name (SNI) gets the certificate that has it among its alternative names, else the one of
`tls_certificate_file`.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warren.gateway.configuration.config import ConfigError
from warren.gateway.tls.ciphers import set_ciphers, weak_ciphers
from warren.gateway.tls.files import Loaded, load_certificate
from warren.gateway.tls.turns import HandshakeTurns

if TYPE_CHECKING:
    from datetime import datetime

    from warren.core.configuration.values import CertificateFiles
    from warren.gateway.tls.settings import TlsSettings

_log = logging.getLogger("warren.tls")

CHECK_INTERVAL_MS: Final = 1000
"""Between two looks at the files."""

_FileState = tuple[int, int, int, int]
"""Times of the last modification and of the last change of rights, inode and size."""

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

_VERIFY: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class TlsContexts:
    """The certificates of one run of the broker.

    settings: what an operator decides.  valid_until: of each certificate, by its file.  turns: of the handshakes with
    these certificates; unless somebody else's, their own.

    Raises ConfigError, which ends the start, when the files can't be used.
    """

    def __init__(self, settings: TlsSettings, now_ms: int, turns: HandshakeTurns | None = None) -> None:
        if settings.certificate_file is None:
            raise ConfigError("tls_certificate_file has to be set for TLS; warren tls dev makes one to begin with")
        if settings.verify != "none" and settings.ca_file is None:
            raise ConfigError(
                f"tls_verify = '{settings.verify}' needs tls_ca_file, the authorities that client certificates "
                "may be signed by"
            )
        self.settings = settings
        self.turns = turns or HandshakeTurns()
        self.valid_until: dict[str, datetime] = {}
        self._files = _files(settings)
        self._state = self._look()
        self._checked_at_ms = now_ms
        self._context, self._by_name = self._load(now_ms)

    def current(self, now_ms: int) -> ssl.SSLContext:
        """The context for a new connection; the files are looked at if that was not done just now."""
        if now_ms - self._checked_at_ms >= CHECK_INTERVAL_MS:
            self._checked_at_ms = now_ms
            self._reload_if_changed(now_ms)
        return self._context

    def reload(self, now_ms: int, why: str) -> None:
        """Load the files again, whether or not they have changed; the log says how that went, and why it was done."""
        self._checked_at_ms = now_ms
        self._state = self._look()
        try:
            self._context, self._by_name = self._load(now_ms)
        except ConfigError as error:
            _log.error("the certificate files can't be used, the certificate before stays: %s", error)
        else:
            _log.info("certificates were loaded again, %s", why)

    def _reload_if_changed(self, now_ms: int) -> None:
        if self._look() != self._state:
            self.reload(now_ms, "since their files have changed")

    def _look(self) -> list[_FileState | None]:
        """What tells a file that was replaced or changed, or that may be read only now."""
        return [_state(path) for path in self._files]

    def _load(self, now_ms: int) -> tuple[ssl.SSLContext, dict[str, ssl.SSLContext]]:
        settings = self.settings
        assert settings.certificate_file is not None
        default = self._context_of(settings.certificate_file, settings.key_file, now_ms)
        self.valid_until = {str(settings.certificate_file): default.not_after}
        weak = weak_ciphers(default.context)
        if weak:
            _log.warning(
                "tls_ciphers allows %s, without forward secrecy: who records such a connection, and gets hold of the "
                "key later, can read it",
                ", ".join(weak),
            )
        others = [self._context_of(files.certificate, files.key, now_ms) for files in settings.server_name_certificates]
        for files, loaded in zip(settings.server_name_certificates, others, strict=True):
            self.valid_until[str(files.certificate)] = loaded.not_after
        by_name: dict[str, ssl.SSLContext] = {}
        for loaded in (default, *others):
            for name in loaded.server_names:
                by_name.setdefault(name, loaded.context)
        if others:
            default.context.sni_callback = self._choose
        return default.context, by_name

    def _choose(self, tls: ssl.SSLObject, server_name: str | None, context: ssl.SSLContext) -> None:
        if server_name is None:
            return
        name = server_name.lower().rstrip(".")
        chosen = self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2])
        if chosen is not None and chosen is not context:
            tls.context = chosen

    def _context_of(self, certificate: Path, key: Path | None, now_ms: int) -> Loaded:
        settings = self.settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        versions = sorted(settings.versions)
        context.minimum_version = _VERSIONS[versions[0]]
        context.maximum_version = _VERSIONS[versions[-1]]
        context.options |= ssl.OP_NO_RENEGOTIATION
        set_ciphers(context, settings.ciphers)
        loaded = load_certificate(context, certificate, key, settings.key_password, now_ms)
        if settings.ca_file is not None:
            try:
                context.load_verify_locations(settings.ca_file)
            except (OSError, ValueError) as error:
                reason = "there is no certificate in it" if isinstance(error, ssl.SSLError) else _text(error)
                raise ConfigError(f"tls_ca_file {settings.ca_file}: {reason}") from None
        context.verify_mode = _VERIFY[settings.verify]
        return loaded


def _files(settings: TlsSettings) -> list[Path]:
    pairs: list[CertificateFiles] = list(settings.server_name_certificates)
    named = [settings.certificate_file, settings.key_file, settings.ca_file]
    for pair in pairs:
        named += [pair.certificate, pair.key]
    return [path for path in named if path is not None]


def _state(path: Path) -> _FileState | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


def _text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
