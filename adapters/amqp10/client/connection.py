"""A connection to an AMQP 1.0 broker with one session and one link: bytes in, bytes out, and what has come.

    connection = Amqp10Client(login, now_ms)
    write the connection's `take()` to the peer, give what is read to `receive`, call `advance` at `next_at_ms`

until `opened`; then `receive_from` an address, or `send_to` one, and wait until it is `attached`.  After each of these
calls the driver looks at `closed`, `receiving.arrived` and `sending.settled`.  Phases:

    SASL (login.py) -> open and begin were sent -> opened -> attach was sent -> attached -> closing -> closed

A link is all that this connection is for, so whatever the peer ends, the link, the session or the connection, is its
end, with the peer's words for why.  A peer that says to go elsewhere (amqp:connection:redirect, amqp:link:redirect) is
told of with where that is, and isn't followed: nobody but who wrote the URI decides who sees the password.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from warren.adapters.amqp10.client.login import Amqp10Login, ClientSasl
from warren.adapters.amqp10.client.receiving import Receiving
from warren.adapters.amqp10.client.sending import Sending
from warren.adapters.amqp10.codec import quick, sasl
from warren.adapters.amqp10.codec.composites import decode_composite, encode_composite
from warren.adapters.amqp10.codec.constants import FRAME_BYTES_LEAST
from warren.adapters.amqp10.codec.errors import PeerMistake
from warren.adapters.amqp10.codec.framing import (
    AMQP_FRAME,
    AMQP_HEADER,
    EMPTY_FRAME,
    HEADER_BYTES,
    SASL_FRAME,
    SASL_HEADER,
    TLS_HEADER,
    frame,
    head_of,
)
from warren.adapters.amqp10.codec.performatives import (
    RECEIVER,
    SENDER,
    SETTLED,
    UNSETTLED,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Error,
    Flow,
    Open,
    Transfer,
)
from warren.adapters.amqp10.codec.termini import Source, Target
from warren.adapters.amqp10.codec.values import Described, Int, Symbol, ULong
from warren.adapters.peers.client_half import ClientHalf
from warren.adapters.peers.errors import PeerError

FRAME_BYTES_MAX: Final = 131_072
"""That the peer may send, as Warren and RabbitMQ take them."""

INCOMING_WINDOW: Final = 2048
"""Frames that the peer may send before it hears from us; half of it is told of."""

OUTGOING_WINDOW: Final = 0x7FFF_FFFF

HANDLE: Final = 0

ERROR_CHARACTERS_MAX: Final = 500
"""So much of what the peer says of an error is repeated: some send stack traces."""

CLOSED_HERE: Final = "the connection was closed here"

_IDS: Final = 0xFFFF_FFFF


class Amqp10Client(ClientHalf):
    """receiving, sending: the link, one of the two, once it is asked for.  attached: the peer has it, too.

    cluster_name: what the peer says of itself, empty where it says nothing.
    """

    def __init__(self, login: Amqp10Login, now_ms: int) -> None:
        super().__init__(now_ms, EMPTY_FRAME)
        self.attached = False
        self.receiving: Receiving | None = None
        self.sending: Sending | None = None
        self.cluster_name = ""
        self._login = login
        self._sasl: ClientSasl | None = ClientSasl(login)
        self._awaited_header = SASL_HEADER
        self._closing = False
        self._peer_frame_max = FRAME_BYTES_LEAST
        self._next_incoming_id = 0
        self._incoming_window = INCOMING_WINDOW
        self._peer_window = 0
        self.write(SASL_HEADER)

    # What the driver calls

    def advance(self, now_ms: int) -> None:
        """Heart-beats, and messages that the peer doesn't answer."""
        super().advance(now_ms)
        if self.closed is None and self.sending is not None:
            self.sending.look(now_ms)

    def next_at_ms(self) -> int | None:
        """See ClientHalf.next_at_ms."""
        if self.closed is not None:
            return None
        due_ms = [super().next_at_ms(), None if self.sending is None else self.sending.next_at_ms()]
        return min([each for each in due_ms if each is not None], default=None)

    def close(self) -> None:
        """Take leave; the peer's close says that it has read everything before it."""
        if self.closed is not None or self._closing:
            return
        self._closing = True
        if self.opened:
            self._tell(Close())
        else:
            self.end(PeerError(CLOSED_HERE))

    def lost(self, reason: str) -> None:
        """The bytes have come to an end, for this reason."""
        if self._closing:
            self.end(PeerError(CLOSED_HERE))
        else:
            super().lost(reason)

    # What links call

    def receive_from(
        self,
        address: str,
        credit: int,
        *,
        name: str,
        settled: bool,
        filters: Mapping[str, Any] | None = None,
        priority: int | None = None,
    ) -> Receiving:
        """Attach a link that receives.  settled: the peer is to settle what it sends by itself."""
        self.receiving = Receiving(HANDLE, credit, self.write, self._tell_flow)
        made = self._attach(name, RECEIVER, settled=settled)
        made.source.address = address
        if filters:
            made.source.filter = {Symbol(key): value for key, value in filters.items()}
        if priority is not None:
            made.properties = {Symbol("rabbitmq:priority"): Int(priority)}
        self._tell(made)
        return self.receiving

    def send_to(self, address: str, *, name: str, settled: bool) -> Sending:
        """Attach a link that sends.  settled: nothing that is sent is to be answered."""
        self.sending = Sending(HANDLE, min(self._peer_frame_max, FRAME_BYTES_MAX), self.write)
        self.sending.window = self._peer_window
        made = self._attach(name, SENDER, settled=settled)
        made.target.address = address
        made.initial_delivery_count = 0
        self._tell(made)
        return self.sending

    # Below

    def _attach(self, name: str, role: bool, *, settled: bool) -> Attach:
        made = Attach()
        made.name = name
        made.handle = HANDLE
        made.role = role
        made.snd_settle_mode = SETTLED if settled else UNSETTLED
        made.source = Source()
        made.target = Target()
        return made

    def _tell(self, body: object) -> None:
        if self.closed is None:
            self.write(frame(0, body))

    def _tell_flow(self, made: Flow) -> None:
        self._incoming_window = INCOMING_WINDOW
        made.next_incoming_id = self._next_incoming_id
        made.incoming_window = INCOMING_WINDOW
        made.next_outgoing_id = 0 if self.sending is None else self.sending.sent_frames
        made.outgoing_window = OUTGOING_WINDOW
        self._tell(made)

    def _parse(self, data: bytes) -> int:
        at, end = 0, len(data)
        try:
            while self.closed is None and end - at >= HEADER_BYTES:
                if self._awaited_header:
                    self._header(data[at : at + HEADER_BYTES])
                    at += HEADER_BYTES
                    continue
                size, body_at, kind, _ = head_of(data, at, FRAME_BYTES_MAX)
                if at + size > end:
                    break
                self._frame(kind, data, body_at, at + size)
                at += size
        except PeerMistake as mistake:
            raise PeerError(f"the peer sent what can't be read: {mistake.text}") from mistake
        if self._incoming_window <= INCOMING_WINDOW // 2 and self.closed is None:
            self._tell_flow(Flow())
        return at

    def _missing_bytes(self, rest: bytes) -> int:
        if len(rest) < HEADER_BYTES:
            return 1
        return max(int.from_bytes(rest[:4], "big") - len(rest), 1)

    def _lost_unopened(self, reason: str) -> str:
        return f"the peer ended the connection instead of letting the client in ({reason})"

    def _header(self, header: bytes) -> None:
        awaited = self._awaited_header
        if header == awaited:
            self._awaited_header = b""
            if awaited == AMQP_HEADER:
                self._open()
        elif header in (SASL_HEADER, AMQP_HEADER, TLS_HEADER):
            raise PeerError("the peer wants TLS first, or no SASL, or another one than is spoken here")
        elif header.startswith(b"AMQP"):
            raise PeerError(f"the peer speaks AMQP {'-'.join(str(each) for each in header[5:])}, not 1.0")
        else:
            raise PeerError("what answers there doesn't speak AMQP 1.0")

    def _frame(self, kind: int, data: bytes, at: int, end: int) -> None:
        if self._sasl is not None:
            if kind != SASL_FRAME or at == end:
                raise PeerError("the peer sent something else than SASL before the login was over")
            self._secure(self._sasl, decode_composite(data, at, end)[0])
            return
        if kind != AMQP_FRAME:
            raise PeerError(f"the peer sent a frame of type {kind}")
        if at == end:
            return
        code = data[at + 2] if data[at : at + 2] == b"\x00\x53" and at + 2 < end else 0
        if code == quick.TRANSFER and self.receiving is not None:
            transfer, payload_at = quick.read_transfer(data, at, end)
            self._next_incoming_id = (self._next_incoming_id + 1) & _IDS
            self._incoming_window -= 1
            self.receiving.transfer(transfer, data[payload_at:end])
        elif code == quick.DISPOSITION:
            self._disposition(quick.read_disposition(data, at, end))
        else:
            body, stop = decode_composite(data, at, end)
            if isinstance(body, Transfer) and self.receiving is not None:
                self._next_incoming_id = (self._next_incoming_id + 1) & _IDS
                self._incoming_window -= 1
                self.receiving.transfer(body, data[stop:end])
            else:
                self._performative(body)

    def _secure(self, login: ClientSasl, body: object) -> None:
        if isinstance(body, sasl.SaslMechanisms):
            self.write(frame(0, login.init(body), SASL_FRAME))
        elif isinstance(body, sasl.SaslChallenge):
            self.write(frame(0, sasl.SaslResponse(login.answer(body.challenge)), SASL_FRAME))
        elif isinstance(body, sasl.SaslOutcome):
            login.finish(body)
            self._sasl = None
            self._awaited_header = AMQP_HEADER
            self.write(AMQP_HEADER)
        else:
            raise PeerError("the peer sent a frame of SASL that is a client's to send")

    def _open(self) -> None:
        login = self._login
        made = Open(login.container)
        made.hostname = login.hostname
        made.max_frame_size = FRAME_BYTES_MAX
        made.channel_max = 0
        made.idle_time_out = login.heartbeat_ms or None
        made.properties = {
            Symbol("product"): login.product,
            Symbol("version"): login.version,
            Symbol("connection_name"): login.container,
        }
        self._tell(made)

    def _performative(self, body: object) -> None:
        if isinstance(body, Open):
            self._opened(body)
        elif isinstance(body, Begin):
            self._peer_window = body.incoming_window
            self._next_incoming_id = body.next_outgoing_id
            self.opened = True
        elif isinstance(body, Attach):
            self._attached(body)
        elif isinstance(body, Flow):
            self._flow(body)
        elif isinstance(body, Disposition):
            self._disposition(body)
        elif isinstance(body, Detach):
            if not self._closing:
                self.end(PeerError(_said("the peer detached the link", body.error)))
        elif isinstance(body, End):
            if not self._closing:
                self.end(PeerError(_said("the peer ended the session", body.error)))
        elif isinstance(body, Close):
            self._peer_closes(body)
        else:
            raise PeerError(f"the peer sent {type(body).__name__.lower()}, which nobody had asked for")

    def _opened(self, body: Open) -> None:
        self._peer_frame_max = max(body.max_frame_size, FRAME_BYTES_LEAST)
        name = (body.properties or {}).get("cluster_name")
        self.cluster_name = name if isinstance(name, str) else ""
        own_ms, wants_ms = self._login.heartbeat_ms, body.idle_time_out or 0
        self._heard_every_ms = own_ms
        self._beat_every_ms = min(own_ms, wants_ms) if own_ms and wants_ms else own_ms or wants_ms
        made = Begin()
        made.incoming_window = INCOMING_WINDOW
        made.outgoing_window = OUTGOING_WINDOW
        made.handle_max = HANDLE
        # A peer that refuses the connection sends open and close (2.4.3): begin comes after the one, and hurts nobody.
        self._tell(made)

    def _attached(self, body: Attach) -> None:
        refused = body.source is None if self.receiving is not None else body.target is None
        if refused:
            # The peer says why in a detach that follows (2.6.3).
            return
        self.attached = True
        if self.receiving is not None:
            self.receiving.begin(body.initial_delivery_count or 0)

    def _flow(self, body: Flow) -> None:
        self._peer_window = body.incoming_window
        if self.sending is not None:
            self.sending.flow(body, self.now_ms)
        if body.handle is not None and self.receiving is not None:
            self.receiving.flow(body)
        elif body.echo:
            self._tell_flow(Flow())

    def _disposition(self, body: Disposition) -> None:
        if body.role and self.sending is not None and self.sending.disposition(body, self.now_ms):
            last = body.first if body.last is None else body.last
            state = encode_composite(body.state)
            self.write(quick.disposition(0, receiver=False, first=body.first, last=last, state=state))

    def _peer_closes(self, body: Close) -> None:
        if self._closing:
            self.end(PeerError(CLOSED_HERE))
            return
        self._tell(Close())
        what = "the peer closed the connection" if self.opened else "the peer refused the connection"
        self.end(PeerError(_said(what, body.error)))


def stream_filters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What arguments of a consumer of a stream are as filters of a source (spec H.1)."""
    names = {
        "x-stream-offset": "rabbitmq:stream-offset-spec",
        "x-stream-filter": "rabbitmq:stream-filter",
        "x-stream-match-unfiltered": "rabbitmq:stream-match-unfiltered",
    }
    found = {}
    for key, name in names.items():
        value = arguments.get(key)
        if value is not None:
            is_offset = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            found[name] = Described(Symbol(name), ULong(value) if is_offset else value)
    return found


def _said(what: str, error: Error | None) -> str:
    if error is None:
        return what
    text = f"{what}: {error.condition}"
    if error.description:
        text += f": {' '.join(error.description.split())}"
    if error.condition.endswith(":redirect"):
        info = {str(key): value for key, value in (error.info or {}).items()}
        places = [str(info[key]) for key in ("network-host", "port", "hostname", "address") if key in info]
        text += f" (it says to go to {' '.join(places) or 'somewhere else'})"
    return text if len(text) <= ERROR_CHARACTERS_MAX else f"{text[:ERROR_CHARACTERS_MAX]}..."
