"""The performatives of connections, sessions and links (part 2, 2.7), and the error that closes them (2.8.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.codec.composites import SYMBOLS, Composite, Place, declare

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.values import ValueMap

CHANNELS_MOST: Final = 0xFFFF
HANDLES_MOST: Final = 0xFFFF_FFFF
FRAME_BYTES_MOST: Final = 0xFFFF_FFFF

SENDER: Final = False
RECEIVER: Final = True
"""Roles (2.8.1)."""

UNSETTLED: Final = 0
SETTLED: Final = 1
MIXED: Final = 2
"""Sender settle modes (2.8.2)."""

FIRST: Final = 0
SECOND: Final = 1
"""Receiver settle modes (2.8.3)."""


class Error:
    """2.8.14."""

    def __init__(self, condition: str = "", description: str | None = None, info: ValueMap | None = None) -> None:
        self.condition = condition
        self.description = description
        self.info = info


class Open:
    """2.7.1."""

    def __init__(self, container_id: str = "") -> None:
        self.container_id = container_id
        self.hostname: str | None = None
        self.max_frame_size = FRAME_BYTES_MOST
        self.channel_max = CHANNELS_MOST
        self.idle_time_out: int | None = None
        self.outgoing_locales: list[str] = []
        self.incoming_locales: list[str] = []
        self.offered_capabilities: list[str] = []
        self.desired_capabilities: list[str] = []
        self.properties: ValueMap | None = None


class Begin:
    """2.7.2."""

    def __init__(self) -> None:
        self.remote_channel: int | None = None
        self.next_outgoing_id = 0
        self.incoming_window = 0
        self.outgoing_window = 0
        self.handle_max = HANDLES_MOST
        self.offered_capabilities: list[str] = []
        self.desired_capabilities: list[str] = []
        self.properties: ValueMap | None = None


class Attach:
    """2.7.3."""

    def __init__(self) -> None:
        self.name = ""
        self.handle = 0
        self.role = SENDER
        self.snd_settle_mode = MIXED
        self.rcv_settle_mode = FIRST
        self.source: Any = None
        self.target: Any = None
        self.unsettled: ValueMap | None = None
        self.incomplete_unsettled = False
        self.initial_delivery_count: int | None = None
        self.max_message_size: int | None = None
        self.offered_capabilities: list[str] = []
        self.desired_capabilities: list[str] = []
        self.properties: ValueMap | None = None


class Flow:
    """2.7.4."""

    def __init__(self) -> None:
        self.next_incoming_id: int | None = None
        self.incoming_window = 0
        self.next_outgoing_id = 0
        self.outgoing_window = 0
        self.handle: int | None = None
        self.delivery_count: int | None = None
        self.link_credit: int | None = None
        self.available: int | None = None
        self.drain = False
        self.echo = False
        self.properties: ValueMap | None = None


class Transfer:
    """2.7.5."""

    def __init__(self) -> None:
        self.handle = 0
        self.delivery_id: int | None = None
        self.delivery_tag: bytes | None = None
        self.message_format: int | None = None
        self.settled: bool | None = None
        self.more = False
        self.rcv_settle_mode: int | None = None
        self.state: Any = None
        self.resume = False
        self.aborted = False
        self.batchable = False


class Disposition:
    """2.7.6."""

    def __init__(self) -> None:
        self.role = SENDER
        self.first = 0
        self.last: int | None = None
        self.settled = False
        self.state: Any = None
        self.batchable = False


class Detach:
    """2.7.7."""

    def __init__(self, handle: int = 0, *, closed: bool = False, error: Error | None = None) -> None:
        self.handle = handle
        self.closed = closed
        self.error = error


class End:
    """2.7.8."""

    def __init__(self, error: Error | None = None) -> None:
        self.error = error


class Close:
    """2.7.9."""

    def __init__(self, error: Error | None = None) -> None:
        self.error = error


declare(
    Composite(
        "error",
        0x1D,
        Error,
        (Place("condition", "symbol", mandatory=True), Place("description", "string"), Place("info", "map")),
    )
)
declare(
    Composite(
        "open",
        0x10,
        Open,
        (
            Place("container_id", "string", mandatory=True),
            Place("hostname", "string"),
            Place("max_frame_size", "uint"),
            Place("channel_max", "ushort"),
            Place("idle_time_out", "uint"),
            Place("outgoing_locales", SYMBOLS),
            Place("incoming_locales", SYMBOLS),
            Place("offered_capabilities", SYMBOLS),
            Place("desired_capabilities", SYMBOLS),
            Place("properties", "map"),
        ),
    )
)
declare(
    Composite(
        "begin",
        0x11,
        Begin,
        (
            Place("remote_channel", "ushort"),
            Place("next_outgoing_id", "uint", mandatory=True),
            Place("incoming_window", "uint", mandatory=True),
            Place("outgoing_window", "uint", mandatory=True),
            Place("handle_max", "uint"),
            Place("offered_capabilities", SYMBOLS),
            Place("desired_capabilities", SYMBOLS),
            Place("properties", "map"),
        ),
    )
)
declare(
    Composite(
        "attach",
        0x12,
        Attach,
        (
            Place("name", "string", mandatory=True),
            Place("handle", "uint", mandatory=True),
            Place("role", "boolean", mandatory=True),
            Place("snd_settle_mode", "ubyte"),
            Place("rcv_settle_mode", "ubyte"),
            Place("source", "*"),
            Place("target", "*"),
            Place("unsettled", "map"),
            Place("incomplete_unsettled", "boolean"),
            Place("initial_delivery_count", "uint"),
            Place("max_message_size", "ulong"),
            Place("offered_capabilities", SYMBOLS),
            Place("desired_capabilities", SYMBOLS),
            Place("properties", "map"),
        ),
    )
)
declare(
    Composite(
        "flow",
        0x13,
        Flow,
        (
            Place("next_incoming_id", "uint"),
            Place("incoming_window", "uint", mandatory=True),
            Place("next_outgoing_id", "uint", mandatory=True),
            Place("outgoing_window", "uint", mandatory=True),
            Place("handle", "uint"),
            Place("delivery_count", "uint"),
            Place("link_credit", "uint"),
            Place("available", "uint"),
            Place("drain", "boolean"),
            Place("echo", "boolean"),
            Place("properties", "map"),
        ),
    )
)
declare(
    Composite(
        "transfer",
        0x14,
        Transfer,
        (
            Place("handle", "uint", mandatory=True),
            Place("delivery_id", "uint"),
            Place("delivery_tag", "binary"),
            Place("message_format", "uint"),
            Place("settled", "boolean"),
            Place("more", "boolean"),
            Place("rcv_settle_mode", "ubyte"),
            Place("state", "*"),
            Place("resume", "boolean"),
            Place("aborted", "boolean"),
            Place("batchable", "boolean"),
        ),
    )
)
declare(
    Composite(
        "disposition",
        0x15,
        Disposition,
        (
            Place("role", "boolean", mandatory=True),
            Place("first", "uint", mandatory=True),
            Place("last", "uint"),
            Place("settled", "boolean"),
            Place("state", "*"),
            Place("batchable", "boolean"),
        ),
    )
)
declare(
    Composite(
        "detach",
        0x16,
        Detach,
        (Place("handle", "uint", mandatory=True), Place("closed", "boolean"), Place("error", "error")),
    )
)
declare(Composite("end", 0x17, End, (Place("error", "error"),)))
declare(Composite("close", 0x18, Close, (Place("error", "error"),)))
