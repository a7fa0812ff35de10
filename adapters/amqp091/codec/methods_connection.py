"""The methods of classes connection (10), channel (20) and access (30): AMQP 0-9-1 1.4, 1.5, RabbitMQ."""

from __future__ import annotations

from dataclasses import field

from warren.adapters.amqp091.codec.methods_wire import (
    Bit,
    Long,
    LongString,
    Method,
    Octet,
    RawTable,
    Short,
    ShortString,
    Table,
    method,
)


@method("connection.start", 10, 10)
class ConnectionStart(Method):
    version_major: Octet = 0
    version_minor: Octet = 9
    server_properties: Table = field(default_factory=dict)
    mechanisms: LongString = b"PLAIN"
    locales: LongString = b"en_US"


@method("connection.start-ok", 10, 11)
class ConnectionStartOk(Method):
    client_properties: Table = field(default_factory=dict)
    mechanism: ShortString = "PLAIN"
    response: LongString = field(default=b"", repr=False)
    locale: ShortString = "en_US"
    client_properties_raw: RawTable = field(default=b"", compare=False, repr=False)


@method("connection.secure", 10, 20)
class ConnectionSecure(Method):
    challenge: LongString = b""


@method("connection.secure-ok", 10, 21)
class ConnectionSecureOk(Method):
    response: LongString = field(default=b"", repr=False)


@method("connection.tune", 10, 30)
class ConnectionTune(Method):
    channel_max: Short = 0
    frame_max: Long = 0
    heartbeat: Short = 0


@method("connection.tune-ok", 10, 31)
class ConnectionTuneOk(Method):
    channel_max: Short = 0
    frame_max: Long = 0
    heartbeat: Short = 0


@method("connection.open", 10, 40)
class ConnectionOpen(Method):
    virtual_host: ShortString = "/"
    capabilities: ShortString = ""
    insist: Bit = False


@method("connection.open-ok", 10, 41)
class ConnectionOpenOk(Method):
    known_hosts: ShortString = ""


@method("connection.close", 10, 50)
class ConnectionClose(Method):
    reply_code: Short
    reply_text: ShortString = ""
    class_id: Short = 0
    method_id: Short = 0


@method("connection.close-ok", 10, 51)
class ConnectionCloseOk(Method):
    pass


@method("connection.blocked", 10, 60)
class ConnectionBlocked(Method):
    reason: ShortString = ""


@method("connection.unblocked", 10, 61)
class ConnectionUnblocked(Method):
    pass


@method("connection.update-secret", 10, 70)
class ConnectionUpdateSecret(Method):
    new_secret: LongString = field(default=b"", repr=False)
    reason: ShortString = ""


@method("connection.update-secret-ok", 10, 71)
class ConnectionUpdateSecretOk(Method):
    pass


@method("channel.open", 20, 10)
class ChannelOpen(Method):
    out_of_band: ShortString = ""


@method("channel.open-ok", 20, 11)
class ChannelOpenOk(Method):
    channel_id: LongString = b""


@method("channel.flow", 20, 20)
class ChannelFlow(Method):
    active: Bit = True


@method("channel.flow-ok", 20, 21)
class ChannelFlowOk(Method):
    active: Bit = True


@method("channel.close", 20, 40)
class ChannelClose(Method):
    reply_code: Short
    reply_text: ShortString = ""
    class_id: Short = 0
    method_id: Short = 0


@method("channel.close-ok", 20, 41)
class ChannelCloseOk(Method):
    pass


@method("access.request", 30, 10)
class AccessRequest(Method):
    realm: ShortString = "/data"
    exclusive: Bit = False
    passive: Bit = True
    active: Bit = True
    write: Bit = True
    read: Bit = True


@method("access.request-ok", 30, 11)
class AccessRequestOk(Method):
    ticket: Short = 1
