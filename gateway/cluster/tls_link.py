"""TLS on the side that connects: OpenSSL over two buffers in memory, as gateway.tls.stage on the side that listens.

The handshake begins with the stage.  What is carried is told when it is over, so a session never speaks to a node whose
certificate wasn't vouched for.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from warren.adapters.stage import Stage
from warren.core.clients.transport import TlsState
from warren.gateway.tls.stage import HANDSHAKE_BYTES_MAX, PIECE_BYTES, RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.interface import AcceptCarrier
    from warren.core.broker import Broker
    from warren.core.clients.transport import Carrier

NO_ANSWER: Final = "the TLS handshake wasn't finished"


class ClientTlsStage(Stage):
    """One connection's TLS.

    accept: makes what is carried, once the handshake is over.  failed: told why it isn't, if it never is.
    """

    def __init__(
        self,
        broker: Broker,
        below: Carrier,
        context: ssl.SSLContext,
        host: str,
        accept: AcceptCarrier,
        failed: Callable[[str], None],
    ) -> None:
        super().__init__(broker, below)
        self._accept = accept
        self._failed = failed
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._established = False
        self._handshake_bytes = 0
        self._reason = NO_ANSWER

    def begin(self) -> None:
        """Say hello, now that what is below sends it."""
        self._shake_hands()

    def receive(self, data: bytes) -> None:
        """Decrypt, or go on with the handshake."""
        if self.closing:
            return
        plain: list[bytes] = []
        try:
            for position in range(0, len(data), PIECE_BYTES):
                self._incoming.write(data[position : position + PIECE_BYTES])
                if not self._established:
                    self._handshake_bytes += PIECE_BYTES
                    if not self._shake_hands():
                        continue
                self._read(plain)
        except ssl.SSLError as error:
            self._fail(error)
        self._send_own()
        if plain:
            self.pass_on(plain[0] if len(plain) == 1 else b"".join(plain))

    def _read(self, plain: list[bytes]) -> None:
        try:
            while decrypted := self._object.read(RECORD_BYTES):
                plain.append(decrypted)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            pass
        self.close()

    def _shake_hands(self) -> bool:
        """Go on with the handshake; True when it is over and the session there."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            if self._handshake_bytes > HANDSHAKE_BYTES_MAX:
                self._reason = f"{self._handshake_bytes} bytes of TLS handshake without coming to its end"
                self.close_early()
            return False
        finally:
            self._send_own()
        self._established = True
        cipher = self._object.cipher()
        self.tls = TlsState(self._object.version() or "", cipher[0] if cipher else "")
        self.carry(self._accept)
        return True

    def encode(self, chunks: list[bytes]) -> list[bytes]:
        """Encrypt."""
        data = memoryview(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        encrypted: list[bytes] = []
        try:
            for position in range(0, len(data), PIECE_BYTES):
                self._object.write(data[position : position + PIECE_BYTES])
                encrypted.append(self._outgoing.read())
        except ssl.SSLError as error:
            self._fail(error)
        return encrypted

    def connection_lost(self, reason: str) -> None:
        """The connection is gone."""
        if not self._established:
            self._failed(f"{self._reason}: {reason}" if self._reason == NO_ANSWER else self._reason)
        super().connection_lost(reason)

    def _send_own(self) -> None:
        if self._outgoing.pending:
            self.outbox.write(self._outgoing.read())

    def _fail(self, error: ssl.SSLError) -> None:
        if isinstance(error, ssl.SSLCertVerificationError):
            self._reason = f"the other node's certificate isn't valid: {error.verify_message}"
        else:
            self._reason = f"TLS failed: {error.reason or error}"
        self._send_own()
        self.outbox.touch()
        self.close_early()
