"""TLS: what comes in is decrypted for the session, what it sends is encrypted.

OpenSSL works on two buffers in memory (`ssl.SSLObject` over memory BIOs) and knows no socket, so that TLS is one more
synchronous step of a turn.  Both buffers only ever grow, and live as long as the connection: they are fed
`PIECE_BYTES` at a time, so that an idle connection that has once moved much doesn't keep much.

Everything decrypted in one turn goes to the session in one piece, and everything it says in a turn is encrypted into
one write.  What the socket doesn't take is known to the session's outbox as it is without TLS, so its consumers slow
down.

Handshakes are the one costly step, so they take turns (turns.py): one whose turn it isn't keeps what it has
received, and reads nothing more until then.  A peer's close_notify waits for a session that has paused reading, as the
end of a plain connection does, so that it takes what came before.

The session is made when the handshake is over, so it never sees a peer that couldn't prove who it is.  A failed
handshake is one line in the log that says whose fault it is; OpenSSL's alert goes to the peer before the connection is
closed.  A connection that ends without close_notify has ended all the same: every protocol carried here knows by itself
where its messages end.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from warren.adapters.first_bytes import CLIENT_HELLO, TLS_REFUSED, recognise, title_of
from warren.adapters.session.read_gate import NOT_ITS_TURN, SESSION
from warren.adapters.stage import Stage
from warren.core.clients.transport import TlsState
from warren.gateway.tls.certificate import parse_certificate
from warren.gateway.tls.failures import explain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.adapters.interface import AcceptCarrier, Adapter
    from warren.core.broker import Broker
    from warren.core.clients.transport import Carrier
    from warren.gateway.tls.contexts import TlsContexts

_log = logging.getLogger("warren.tls")

PIECE_BYTES: Final = 32 * 1024
"""Given to OpenSSL at a time: two full records, so that the cost per call is small."""

RECORD_BYTES: Final = 16 * 1024
"""The largest record's contents (RFC 8446, 5.1), and so the most that one read can give."""

HANDSHAKE_BYTES_MAX: Final = 256 * 1024
"""Received before the handshake is over: the longest chain of client certificates that OpenSSL takes has 100 KiB."""


class TlsStage(Stage):
    """One connection's TLS.

    accept: makes what is carried, once the handshake is over.  adapters: the protocols that somebody may speak who
    forgot TLS.
    """

    def __init__(
        self,
        broker: Broker,
        below: Carrier,
        contexts: TlsContexts,
        accept: AcceptCarrier,
        adapters: Mapping[str, Adapter],
    ) -> None:
        super().__init__(broker, below)
        self._contexts = contexts
        self._accept = accept
        self._adapters = adapters
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object: ssl.SSLObject | None = contexts.current(broker.now_ms).wrap_bio(
            self._incoming, self._outgoing, server_side=True
        )
        self._established = False
        self._handshake_bytes = 0
        self._held = b""
        self._ended = False
        self._reason: str | None = None
        self._deadline = broker.deadlines.schedule(
            broker.now_ms + contexts.settings.handshake_timeout_ms, self._handshake_expired
        )

    # What is received

    def receive(self, data: bytes) -> None:
        """Decrypt, or go on with the handshake."""
        if self.closing or self._ended or self._object is None:
            return
        if not self._handshake_bytes and not self._held and data[0] != CLIENT_HELLO[0]:
            self._refuse_plain_text(data)
        elif self._established or (not self._held and self._contexts.turns.is_open(self.broker)):
            self._decrypt(self._object, data)
        else:
            self._wait_for_turn(data)

    def _wait_for_turn(self, data: bytes) -> None:
        if not self._held:
            self.read_gate.close(NOT_ITS_TURN)
            self._contexts.turns.wait(self.broker, self._go_on, has_begun=self._handshake_bytes > 0)
        self._held += data

    def _go_on(self) -> None:
        """It is this handshake's turn."""
        if self.closing or self._object is None:
            return
        held = self._held
        self._held = b""
        try:
            self.read_gate.open(NOT_ITS_TURN)
            self._decrypt(self._object, held)
        except Exception:
            # This is in nobody's `receive`, whose errors end one connection.
            _log.exception("connection %s: internal error; closing the connection", self.name)
            self.below.abort()

    def _decrypt(self, tls: ssl.SSLObject, data: bytes) -> None:
        plain: list[bytes] = []
        ended = False
        failure: ssl.SSLError | None = None
        try:
            for position in range(0, len(data), PIECE_BYTES):
                ended = self._take(tls, data[position : position + PIECE_BYTES], plain)
                if ended or self.closing:
                    break
        except ssl.SSLError as error:
            failure = error
        self._send_own()
        if plain:
            self.pass_on(plain[0] if len(plain) == 1 else b"".join(plain))
        if failure is not None:
            self._fail(failure)
        elif ended:
            self._reason = "the peer closed the connection"
            self._ended = True
            self._close_unless_paused()

    def _close_unless_paused(self) -> None:
        """The peer has said that this was all: close, or when the session reads again."""
        if not self.read_gate.is_closed_for(SESSION):
            self.close()

    def resume(self) -> None:
        """Read again; what the session does now is done before the end that it hasn't heard of."""
        super().resume()
        if self._ended:
            self._deadline.cancel()
            self._deadline = self.broker.deadlines.schedule(
                self.broker.now_ms, lambda now_ms: self._close_unless_paused()
            )

    def _take(self, tls: ssl.SSLObject, piece: bytes, plain: list[bytes]) -> bool:
        """Feed OpenSSL and append what comes out to `plain`; True when the peer said that this was all."""
        self._incoming.write(piece)
        if not self._established and not self._shake_hands(tls, len(piece)):
            return False
        try:
            while True:
                decrypted = tls.read(RECORD_BYTES)
                if not decrypted:
                    return True
                plain.append(decrypted)
                if not self._incoming.pending and not tls.pending():
                    return False
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True

    def _shake_hands(self, tls: ssl.SSLObject, received_bytes: int) -> bool:
        """Go on with the handshake; True when it is over and the session there."""
        self._handshake_bytes += received_bytes
        turns = self._contexts.turns
        began_ns = turns.clock_ns()
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            if self._handshake_bytes > HANDSHAKE_BYTES_MAX:
                self.broker.limit_hits.count("bytes of a TLS handshake")
                self._give_up(f"{self._handshake_bytes} bytes of handshake without coming to its end")
            return False
        finally:
            turns.count(turns.clock_ns() - began_ns)
        self._established = True
        self._deadline.cancel()
        cipher = tls.cipher()
        self.tls = TlsState(tls.version() or "", cipher[0] if cipher else "")
        self._send_own()
        shown = tls.getpeercert(binary_form=True)
        if shown is not None and self._contexts.settings.verifies and not self._take_certificate(self.tls, shown):
            return False
        self.carry(self._accept)
        return True

    def _take_certificate(self, tls: TlsState, shown: bytes) -> bool:
        """Know the peer by its certificate, which is verified by now; False when it isn't valid any more.

        That is asked once more because OpenSSL doesn't, when a client resumes a session from before.
        """
        try:
            certificate = parse_certificate(shown)
        except ValueError as error:
            _log.warning(
                "connection %s: the client's certificate can't be read (%s), so it is no login", self.name, error
            )
            return True
        if self.broker.now_ms / 1000 > certificate.not_after.timestamp():
            self._give_up("the client's certificate has expired since it was verified; renew it")
            return False
        self.tls = replace(
            tls,
            peer_subject=certificate.subject,
            peer_issuer=certificate.issuer,
            peer_validity=certificate.validity,
        )
        self.certificate_name = self._contexts.settings.login_name(certificate)
        return True

    def _send_own(self) -> None:
        """Handshake, alerts, tickets: what OpenSSL has to say by itself."""
        if self._outgoing.pending:
            self.outbox.write(self._outgoing.read())

    # What is sent

    def encode(self, chunks: list[bytes]) -> list[bytes]:
        """Encrypt."""
        tls = self._object
        if tls is None:
            return []
        data = memoryview(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        encrypted: list[bytes] = []
        try:
            for position in range(0, len(data), PIECE_BYTES):
                tls.write(data[position : position + PIECE_BYTES])
                encrypted.append(self._outgoing.read())
        except ssl.SSLError as error:
            self._fail(error)
        return encrypted

    def farewell(self) -> list[bytes]:
        """close_notify (RFC 8446, 6.1)."""
        if self._object is None:
            return []
        try:
            self._object.unwrap()
        except (OSError, ValueError):
            # The peer's own close_notify isn't waited for, and after a failure there is nothing to say.
            pass
        return [self._outgoing.read()] if self._outgoing.pending else []

    # How it ends

    def connection_lost(self, reason: str) -> None:
        """The connection is gone; OpenSSL's memory is given back now rather than by the garbage collector."""
        self._deadline.cancel()
        if not self._established and self._reason is None:
            log = _log.info if self._handshake_bytes or self._held else _log.debug
            log("connection %s: the TLS handshake was not finished: %s", self.name, reason)
        self._object = None
        self._held = b""
        super().connection_lost(self._reason or reason)

    def _handshake_expired(self, now_ms: int) -> None:
        self.broker.limit_hits.count("tls_handshake_timeout_s")
        limit_s = self._contexts.settings.handshake_timeout_ms / 1000
        if self._held:
            self._give_up(
                f"more TLS handshakes at once than the broker can do; its turn didn't come within {limit_s:g} s"
            )
        else:
            self._give_up(f"no TLS handshake within {limit_s:g} s")

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        _log.warning("connection %s: %s; closing it", self.name, reason)
        self.close_early()

    def _fail(self, error: ssl.SSLError) -> None:
        """Say why in the log, let OpenSSL's alert out, and close."""
        self._deadline.cancel()
        self._reason, advice = explain(error, established=self._established)
        if not self.closing:
            _log.warning("connection %s: %s%s", self.name, self._reason, f"; {advice}" if advice else "")
        self._send_own()
        self.outbox.touch()
        self.close_early()

    def _refuse_plain_text(self, data: bytes) -> None:
        self._deadline.cancel()
        spoken = recognise(data, self._adapters) or ""
        adapter = self._adapters.get(spoken)
        name = f"{data[:8]!r}, which is no TLS," if adapter is None else f"plain {title_of(spoken, adapter)}"
        self._reason = f"{name} on a TLS port"
        _log.warning("connection %s: %s; have the client use TLS, or another port", self.name, self._reason)
        self.outbox.write((adapter.needs_tls if adapter is not None else b"") or TLS_REFUSED)
        self.close_early()
