"""The numbers of AMQP 0-9-1's framing and negotiation."""

from __future__ import annotations

from typing import Final

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
"""What a 0-9-1 client sends first, and what the broker answers to a header that it doesn't serve (4.2.2)."""

FRAME_METHOD: Final = 1
FRAME_HEADER: Final = 2
FRAME_BODY: Final = 3
FRAME_HEARTBEAT: Final = 8

FRAME_END: Final = 0xCE
"""Last byte of every frame (4.2.3)."""

FRAME_PREFIX_BYTES: Final = 7
"""Type u8, channel u16, payload size u32."""

FRAME_OVERHEAD_BYTES: Final = 8
"""What a frame adds to its payload: the prefix and the end byte."""

FRAME_MAX_INITIAL_BYTES: Final = 8192
"""frame_max until it is negotiated; the specification's least is 4096, larger login tokens need this."""

FRAME_MAX_LEAST_BYTES: Final = 4096
"""The smallest frame_max that both ends have to accept (4.2.3, frame-min-size)."""

FRAME_MAX_DEFAULT_BYTES: Final = 131_072
CHANNEL_MAX_DEFAULT: Final = 2047
HEARTBEAT_DEFAULT_S: Final = 60
"""What RabbitMQ proposes in connection.tune, and clients are tuned for."""

CLASS_BASIC: Final = 60
"""The one class whose methods carry content; its id opens every content header."""

CLASS_CONNECTION: Final = 10
"""The class of the methods for channel 0."""

CLASS_EXCHANGE: Final = 40
CLASS_QUEUE: Final = 50
"""The classes of methods that change what there is."""

BASIC_PUBLISH: Final = 40
BASIC_ACK: Final = 80
"""Method ids of the class basic that the frame loop knows by heart."""

CHANNEL_OPEN: Final = (20, 10)
CHANNEL_CLOSE: Final = (20, 40)
CHANNEL_CLOSE_OK: Final = (20, 41)
"""Class and method ids of what may come for a channel that isn't open."""

NO_ROUTE: Final = 312
"""Reply code of basic.return for a mandatory message that no queue took."""

SHORT_STRING_BYTES_MAX: Final = 255
"""A shortstr's length is one byte (4.2.5.3); reply texts are cut to it."""

AUTH_MECHANISMS: Final = ("PLAIN", "AMQPLAIN", "EXTERNAL")
"""Those that a configuration may choose among, in the order in which they are offered (connection.start)."""

REPLY_SUCCESS: Final = 200
"""The reply code of a close that nothing is wrong with (AMQP 0-9-1 1.2)."""
