"""What RabbitMQ says when it closes a channel or a connection of AMQP 0-9-1: what a client does, and the text in reply.

Each row is tried twice: on Warren without a socket (tests/adapters/amqp091/test_reply_texts.py), and on whichever
broker the scenario tests run against (tests/conformance/test_reply_texts.py), so that what stands here as RabbitMQ's
has been said by RabbitMQ.  Programs compare these texts, so Warren's begin with RabbitMQ's sentence, to the letter, and
may go on with a hint behind `HINT`; where `exact` is set they may not.

The texts are those of 3.13, the release that Warren calls itself by default; `in_3_10` is what Debian's release says
instead, where it says something else.  Longer than 400 lines because it is one table.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.support import amqp_bytes as wire
from tests.support.amqp_bytes import Value, bits, long, longlong, method, short, shortstr, table

QUEUE = "reply-texts"
OTHER_QUEUE = "reply-texts-exclusive"
EXCHANGE = "reply-texts-exchange"
VHOST = " in vhost '/'"

HINT = "; "
"""What stands between RabbitMQ's sentence and the hint."""

TEXT_BYTES_MAX = 255
"""A short string has room for no more."""


@dataclass(frozen=True)
class Row:
    """frames: what is sent on an open connection with channel 1 open; `before` on another one, which stays open.

    closes: `channel` or `connection`.  text: the whole reply text, code name included.
    """

    name: str
    closes: str
    code: int
    text: str
    frames: bytes
    before: bytes = b""
    exact: bool = False
    in_3_10: str = ""
    in_3_10_closes: str = ""


def declare(
    name: str = QUEUE,
    *,
    passive: bool = False,
    durable: bool = False,
    exclusive: bool = False,
    auto_delete: bool = True,
    channel: int = 1,
    **arguments: Value,
) -> bytes:
    """queue.declare; by default of a queue that lasts until the row's connection ends, or its one consumer."""
    flags = bits(passive, durable, exclusive, auto_delete, False)
    named = table({key.replace("_", "-"): value for key, value in arguments.items()})
    return method(channel, "queue.declare", short(0), shortstr(name), flags, named)


def declare_with(arguments: dict[str, Value]) -> bytes:
    """queue.declare of an exclusive queue with these arguments."""
    flags = bits(False, False, True, True, False)
    return method(1, "queue.declare", short(0), shortstr(QUEUE), flags, table(arguments))


def declare_exchange(
    name: str = EXCHANGE,
    kind: str = "direct",
    *,
    passive: bool = False,
    durable: bool = False,
    internal: bool = False,
    **arguments: Value,
) -> bytes:
    """exchange.declare."""
    flags = bits(passive, durable, False, internal, False)
    named = table({key.replace("_", "-"): value for key, value in arguments.items()})
    return method(1, "exchange.declare", short(0), shortstr(name), shortstr(kind), flags, named)


def consume(
    queue: str = QUEUE,
    tag: str = "tag",
    *,
    no_ack: bool = True,
    exclusive: bool = False,
    arguments: dict[str, Value] | None = None,
) -> bytes:
    """basic.consume."""
    flags = bits(False, no_ack, exclusive, False)
    return method(1, "basic.consume", short(0), shortstr(queue), shortstr(tag), flags, table(arguments))


def bind(queue: str, exchange: str, key: str = "", **arguments: Value) -> bytes:
    """queue.bind."""
    named = table({key.replace("_", "-"): value for key, value in arguments.items()})
    names = shortstr(queue), shortstr(exchange), shortstr(key)
    return method(1, "queue.bind", short(0), *names, bits(False), named)


def unbind(queue: str, exchange: str) -> bytes:
    """queue.unbind."""
    return method(1, "queue.unbind", short(0), shortstr(queue), shortstr(exchange), shortstr(""), table())


def bind_exchange(destination: str, source: str) -> bytes:
    """exchange.bind."""
    names = shortstr(destination), shortstr(source), shortstr("")
    return method(1, "exchange.bind", short(0), *names, bits(False), table())


def delete_exchange(name: str, *, if_unused: bool = False) -> bytes:
    """exchange.delete."""
    return method(1, "exchange.delete", short(0), shortstr(name), bits(if_unused, False))


def delete_queue(name: str = QUEUE, *, if_unused: bool = False, if_empty: bool = False) -> bytes:
    """queue.delete."""
    return method(1, "queue.delete", short(0), shortstr(name), bits(if_unused, if_empty, False))


def get(queue: str = QUEUE) -> bytes:
    """basic.get."""
    return method(1, "basic.get", short(0), shortstr(queue), bits(False))


def publish_method(exchange: str = "", key: str = QUEUE, *, immediate: bool = False) -> bytes:
    """basic.publish without its content."""
    return method(1, "basic.publish", short(0), shortstr(exchange), shortstr(key), bits(False, immediate))


def publish(exchange: str = "", key: str = QUEUE, properties: bytes = b"\0\0", body: bytes = b"body") -> bytes:
    """A message."""
    return wire.publish(1, exchange, key, body, properties=properties)


def expiration(text: str) -> bytes:
    """Properties with nothing else."""
    return b"\x01\x00" + shortstr(text)


def user_id(text: str) -> bytes:
    """Properties with nothing else."""
    return b"\x00\x10" + shortstr(text)


def reply_to(text: str) -> bytes:
    """Properties with nothing else."""
    return b"\x02\x00" + shortstr(text)


def purge(queue: str = QUEUE) -> bytes:
    """queue.purge."""
    return method(1, "queue.purge", short(0), shortstr(queue), bits(False))


def qos(size: int = 0, count: int = 0, *, global_: bool = False) -> bytes:
    """basic.qos."""
    return method(1, "basic.qos", long(size), short(count), bits(global_))


ACK_82 = method(1, "basic.ack", longlong(82), bits(False))
CONFIRM = method(1, "confirm.select", bits(False))
TX = method(1, "tx.select")

CLEAN_UP = delete_queue() + delete_exchange(EXCHANGE) + delete_queue("reply-texts-quorum")
"""Sent after each row on a connection of its own; answered by three methods."""

ROWS: list[Row] = []


def _row(
    name: str,
    closes: str,
    code: int,
    text: str,
    frames: bytes,
    *,
    before: bytes = b"",
    exact: bool = False,
    in_3_10: str | None = None,
    in_3_10_closes: str | None = None,
) -> None:
    ROWS.append(Row(name, closes, code, text, frames, before, exact, in_3_10 or text, in_3_10_closes or closes))


def begins_with(said: str, sentence: str, *, exact: bool) -> bool:
    """Whether what was `said` is RabbitMQ's sentence, cut as reply texts are, or goes on with a hint behind it."""
    whole = sentence[:TEXT_BYTES_MAX]
    if exact or len(sentence) >= TEXT_BYTES_MAX:
        return said == whole
    return said == whole or said.startswith(whole + HINT)


# Names that aren't there

for _what, _frames in {
    "consume": consume("missing"),
    "get": get("missing"),
    "bind": bind("missing", "amq.direct"),
    "purge": purge("missing"),
    "passive": declare("missing", passive=True),
}.items():
    _row(f"{_what} of no queue", "channel", 404, f"NOT_FOUND - no queue 'missing'{VHOST}", _frames, exact=True)

for _what, _frames in {
    "publish": publish("missing"),
    "bind": declare() + bind(QUEUE, "missing"),
    "bind exchanges, no source": bind_exchange("amq.fanout", "missing"),
    "bind exchanges, no destination": bind_exchange("missing", "amq.fanout"),
    "passive": declare_exchange("missing", passive=True),
}.items():
    _row(f"{_what} of no exchange", "channel", 404, f"NOT_FOUND - no exchange 'missing'{VHOST}", _frames, exact=True)

for _what, _frames in {
    "consume": consume(""),
    "get": get(""),
    "purge": purge(""),
    "bind": bind("", "amq.direct", "key"),
    "delete": delete_queue(""),
}.items():
    _row(f"{_what} of the latest queue, none", "channel", 404, "NOT_FOUND - no previously declared queue", _frames)

# What may not be

_row(
    "declare a queue of a reserved name passively",
    "channel",
    404,
    f"NOT_FOUND - no queue 'amq.mine'{VHOST}",
    declare("amq.mine", passive=True),
    exact=True,
)
DEFAULT = "ACCESS_REFUSED - operation not permitted on the default exchange"
_row("bind to the default exchange", "channel", 403, DEFAULT, declare() + bind(QUEUE, ""))
_row("unbind from the default exchange", "channel", 403, DEFAULT, declare() + unbind(QUEUE, ""))
_row("delete the default exchange", "channel", 403, DEFAULT, delete_exchange(""))
_row("declare the default exchange", "channel", 403, DEFAULT, declare_exchange(""))
_row(
    "delete a system exchange",
    "channel",
    403,
    f"ACCESS_REFUSED - deletion of system exchange 'amq.direct'{VHOST} not allowed",
    delete_exchange("amq.direct"),
)
_row(
    "a reserved name for a queue",
    "channel",
    403,
    "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'",
    declare("amq.mine"),
)
_row(
    "a reserved name for an exchange",
    "channel",
    403,
    "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'",
    declare_exchange("amq.mine"),
)
_row(
    "publish to an internal exchange",
    "channel",
    403,
    f"ACCESS_REFUSED - cannot publish to internal exchange '{EXCHANGE}'{VHOST}",
    declare_exchange(internal=True) + publish(EXCHANGE),
)
_row(
    "consume from a queue in exclusive use",
    "channel",
    403,
    f"ACCESS_REFUSED - queue '{QUEUE}'{VHOST} in exclusive use",
    declare() + consume(exclusive=True) + consume(tag="second"),
)
LOCKED = (
    f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{OTHER_QUEUE}'{VHOST}. It could be originally "
    "declared on another connection or the exclusive property value does not match that of the original declaration."
)
for _what, _frames in {
    "declare": declare(OTHER_QUEUE),
    "passive": declare(OTHER_QUEUE, passive=True),
    "consume": consume(OTHER_QUEUE),
    "get": get(OTHER_QUEUE),
    "bind": bind(OTHER_QUEUE, "amq.direct"),
    "purge": purge(OTHER_QUEUE),
    "delete": delete_queue(OTHER_QUEUE),
}.items():
    _row(
        f"{_what} of another's exclusive queue",
        "channel",
        405,
        LOCKED,
        _frames,
        before=declare(OTHER_QUEUE, exclusive=True),
        exact=True,
    )
_row(
    "a consumer tag twice",
    "connection",
    530,
    "NOT_ALLOWED - attempt to reuse consumer tag 'tag'",
    declare() + consume() + consume(),
    exact=True,
)

# What doesn't agree with what is there


def _inequivalent(arg: str, received: str, current: str, what: str = f"queue '{QUEUE}'") -> str:
    differs = f"received {received} but current is {current}"
    return f"PRECONDITION_FAILED - inequivalent arg '{arg}' for {what}{VHOST}: {differs}"


for _what, _arg, _received, _current, _frames in (
    ("durable", "durable", "'false'", "'true'", declare(durable=True) + declare()),
    ("auto-delete", "auto_delete", "'false'", "'true'", declare() + declare(auto_delete=False)),
    (
        "argument",
        "x-message-ttl",
        "the value '60000' of type 'signedint'",
        "none",
        declare() + declare(x_message_ttl=60000),
    ),
    (
        "no argument",
        "x-message-ttl",
        "none",
        "the value '60000' of type 'signedint'",
        declare(x_message_ttl=60000) + declare(),
    ),
    (
        "text argument",
        "x-dead-letter-exchange",
        "'b'",
        "'a'",
        declare(x_dead_letter_exchange="a") + declare(x_dead_letter_exchange="b"),
    ),
):
    _row(f"redeclare a queue: {_what}", "channel", 406, _inequivalent(_arg, _received, _current), _frames, exact=True)

for _what, _arg, _received, _current, _frames in (
    ("type", "type", "'fanout'", "'direct'", declare_exchange() + declare_exchange(kind="fanout")),
    ("durable", "durable", "'true'", "'false'", declare_exchange() + declare_exchange(durable=True)),
    ("internal", "internal", "'true'", "'false'", declare_exchange() + declare_exchange(internal=True)),
):
    _row(
        f"redeclare an exchange: {_what}",
        "channel",
        406,
        _inequivalent(_arg, _received, _current, f"exchange '{EXCHANGE}'"),
        _frames + delete_exchange(EXCHANGE),
        exact=True,
    )

_row(
    "delete a queue in use",
    "channel",
    406,
    f"PRECONDITION_FAILED - queue '{QUEUE}'{VHOST} in use",
    declare() + consume() + delete_queue(if_unused=True),
)
_row(
    "delete a queue with messages",
    "channel",
    406,
    f"PRECONDITION_FAILED - queue '{QUEUE}'{VHOST} not empty",
    declare(exclusive=True) + publish() + delete_queue(if_empty=True),
)
_row(
    "delete an exchange in use",
    "channel",
    406,
    f"PRECONDITION_FAILED - exchange '{EXCHANGE}'{VHOST} in use",
    declare_exchange() + declare(exclusive=True) + bind(QUEUE, EXCHANGE) + delete_exchange(EXCHANGE, if_unused=True),
)

QUORUM = declare("reply-texts-quorum", durable=True, auto_delete=False, x_queue_type="quorum")
for _flag in ("if-unused", "if-empty"):
    _row(
        f"delete a quorum queue {_flag}",
        "connection",
        540,
        f"NOT_IMPLEMENTED - cannot delete queue 'reply-texts-quorum'{VHOST}. queue.delete operations with {_flag} flag "
        "set are not supported by quorum queues",
        QUORUM + delete_queue("reply-texts-quorum", if_unused=_flag == "if-unused", if_empty=_flag == "if-empty"),
    )

# Arguments

for _name, _value, _term in (
    ("x-message-ttl", "text", '"expected integer, got longstr"'),
    ("x-message-ttl", -1, "{value_negative,-1}"),
    ("x-message-ttl", 315_360_000_001, "{value_too_large,315360000001}"),
    ("x-expires", 0, "{value_zero,0}"),
    ("x-expires", -5, "{value_negative,-5}"),
    ("x-expires", True, '"expected integer, got bool"'),
    ("x-max-length", "text", '"expected integer, got longstr"'),
    ("x-max-length", -1, "{value_negative,-1}"),
    ("x-max-length-bytes", -1, "{value_negative,-1}"),
    ("x-max-priority", 256, "{max_value_exceeded,256}"),
    ("x-max-priority", -1, "{value_negative,-1}"),
    ("x-max-priority", "5", '"expected integer, got longstr"'),
    ("x-dead-letter-routing-key", 5, "{unacceptable_type,signedint}"),
    ("x-queue-version", 3, "\"unsupported queue version '3'\""),
    ("x-queue-type", 5, "{unacceptable_type,signedint}"),
    ("x-overflow", "nonsense", "invalid_overflow"),
    ("x-overflow", 5, "{unacceptable_type,signedint}"),
    ("x-queue-mode", "nonsense", "\"unsupported queue mode 'nonsense'\""),
    ("x-queue-type", "nonsense", "\"unsupported queue type 'nonsense'\""),
    ("x-single-active-consumer", "yes", "{unacceptable_type,longstr}"),
):
    _row(
        f"a queue with {_name}={_value!r}",
        "channel",
        406,
        f"PRECONDITION_FAILED - invalid arg '{_name}' for queue '{QUEUE}'{VHOST}: {_term}",
        declare_with({_name: _value}),
    )
_row(
    "an unknown leader locator",
    "channel",
    406,
    f"PRECONDITION_FAILED - invalid arg 'x-queue-leader-locator' for queue '{QUEUE}'{VHOST}: invalid_queue_locator_arg",
    declare(exclusive=True, x_queue_leader_locator="nowhere"),
    in_3_10=f"PRECONDITION_FAILED - invalid arg 'x-queue-leader-locator' for queue '{QUEUE}'{VHOST} "
    "of queue type rabbit_classic_queue",
)
_row(
    "a dead letter exchange that is a number",
    "channel",
    406,
    f"PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue '{QUEUE}'{VHOST}",
    declare(exclusive=True, x_dead_letter_exchange=5),
)
_row(
    "a routing key for dead letters without exchange",
    "channel",
    406,
    f"PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue '{QUEUE}'{VHOST}: "
    "routing_key_but_no_dlx_defined",
    declare(exclusive=True, x_dead_letter_routing_key="key"),
)
_row(
    "an argument of another type of queue",
    "channel",
    406,
    f"PRECONDITION_FAILED - invalid arg 'x-max-age' for queue '{QUEUE}'{VHOST} of queue type rabbit_classic_queue",
    declare(exclusive=True, x_max_age="5m"),
)
_row(
    "an exclusive quorum queue",
    "channel",
    406,
    f"PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue '{QUEUE}'{VHOST}",
    declare(exclusive=True, durable=True, auto_delete=False, x_queue_type="quorum"),
)
_row(
    "a transient quorum queue",
    "channel",
    406,
    f"PRECONDITION_FAILED - invalid property 'non-durable' for queue '{QUEUE}'{VHOST}",
    declare(auto_delete=False, x_queue_type="quorum"),
)
_row(
    "a quorum queue without a name",
    "channel",
    406,
    "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue",
    declare("", durable=True, auto_delete=False, x_queue_type="quorum"),
)
for _name, _value, _term in (
    ("x-priority", "high", '"expected integer, got longstr"'),
    ("x-cancel-on-ha-failover", "yes", "{unacceptable_type,longstr}"),
):
    _row(
        f"a consumer with {_name}={_value!r}",
        "channel",
        406,
        f"PRECONDITION_FAILED - invalid arg '{_name}' for queue '{QUEUE}'{VHOST}: {_term}",
        declare(exclusive=True) + consume(arguments={_name: _value}),
    )
_row(
    "an unknown type of exchange",
    "channel",
    406,
    "PRECONDITION_FAILED - unknown exchange type 'nonsense'",
    declare_exchange(kind="nonsense"),
    in_3_10="COMMAND_INVALID - unknown exchange type 'nonsense'",
    in_3_10_closes="connection",
)
_row(
    "an alternate exchange that is a number",
    "channel",
    406,
    f"PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange '{EXCHANGE}'{VHOST}",
    declare_exchange(alternate_exchange=5),
)
_row(
    "x-match of a type that can't be",
    "channel",
    406,
    "PRECONDITION_FAILED - Invalid x-match field type signedint (value 5); expected longstr",
    declare(exclusive=True) + bind(QUEUE, "amq.headers", x_match=5),
)
_row(
    "x-match of a value that can't be",
    "channel",
    406,
    'PRECONDITION_FAILED - Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x',
    declare(exclusive=True) + bind(QUEUE, "amq.headers", x_match="some"),
)
_row(
    "a weight that is no number",
    "channel",
    406,
    'PRECONDITION_FAILED - The binding key must be an integer: <<"key">>',
    declare(exclusive=True)
    + declare_exchange(kind="x-consistent-hash")
    + bind(QUEUE, EXCHANGE, "key")
    + delete_exchange(EXCHANGE),
)
_row(
    "a weight of zero",
    "channel",
    406,
    "PRECONDITION_FAILED - The binding key must be greater than 0",
    declare(exclusive=True)
    + declare_exchange(kind="x-consistent-hash")
    + bind(QUEUE, EXCHANGE, "0")
    + delete_exchange(EXCHANGE),
)
_row(
    "hashing by an unknown property",
    "channel",
    406,
    "PRECONDITION_FAILED - Unsupported property: nonsense",
    declare_exchange(kind="x-consistent-hash", hash_property="nonsense"),
)
_row(
    "hashing by two things",
    "channel",
    406,
    "PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive",
    declare_exchange(kind="x-consistent-hash", hash_property="message_id", hash_header="header"),
)
_row(
    "a history of no length",
    "channel",
    406,
    "PRECONDITION_FAILED - Invalid argument 0, 'x-recent-history-length' must be a positive integer",
    declare_exchange(kind="x-recent-history", x_recent_history_length=0),
)

# Publishing

_row(
    "immediate",
    "connection",
    540,
    "NOT_IMPLEMENTED - immediate=true",
    publish_method(immediate=True) + wire.header(1, 0),
    exact=True,
)
for _text, _term in (
    ("text", "no_integer"),
    ("12x", '{leftover_string,"x"}'),
    ("-1", "{value_negative,-1}"),
    ("315360000001", "{value_too_large,315360000001}"),
    ("", "no_integer"),
    ("1.5", '{leftover_string,".5"}'),
):
    _row(
        f"expiration {_text!r}",
        "channel",
        406,
        f"PRECONDITION_FAILED - invalid expiration '{_text}': {_term}",
        publish(properties=expiration(_text)),
    )
_row(
    "another's user id",
    "channel",
    406,
    "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'",
    publish(properties=user_id("somebody")),
    exact=True,
)
_row(
    "a request without reply consumer",
    "channel",
    406,
    "PRECONDITION_FAILED - fast reply consumer does not exist",
    publish(properties=reply_to("amq.rabbitmq.reply-to")),
)
_row(
    "polling a quorum queue with a single active consumer",
    "channel",
    405,
    f"RESOURCE_LOCKED - cannot obtain access to locked queue 'reply-texts-quorum'{VHOST}. basic.get operations are not "
    "supported by quorum queues with single active consumer",
    declare("reply-texts-quorum", durable=True, auto_delete=False, x_queue_type="quorum", x_single_active_consumer=True)
    + get("reply-texts-quorum"),
)
_row(
    "replies to be acknowledged",
    "channel",
    406,
    "PRECONDITION_FAILED - reply consumer cannot acknowledge",
    consume("amq.rabbitmq.reply-to", no_ack=False),
)
_row(
    "replies twice",
    "channel",
    406,
    "PRECONDITION_FAILED - reply consumer already set",
    consume("amq.rabbitmq.reply-to") + consume("amq.rabbitmq.reply-to", tag="second"),
)

# Acknowledgements, prefetch, transactions

UNKNOWN_TAG = "PRECONDITION_FAILED - unknown delivery tag 82"
for _name, _frames in {
    "ack": ACK_82,
    "ack up to": method(1, "basic.ack", longlong(82), bits(True)),
    "nack": method(1, "basic.nack", longlong(82), bits(False, True)),
    "reject": method(1, "basic.reject", longlong(82), bits(True)),
}.items():
    _row(f"{_name} of an unknown tag", "channel", 406, UNKNOWN_TAG, _frames, exact=True)
_row("prefetch by size", "connection", 540, "NOT_IMPLEMENTED - prefetch_size!=0 (4096)", qos(4096))
_row(
    "recover without requeue",
    "connection",
    540,
    "NOT_IMPLEMENTED - requeue=false",
    method(1, "basic.recover", bits(False)),
    exact=True,
)
_row("flow off", "connection", 540, "NOT_IMPLEMENTED - active=false", method(1, "channel.flow", bits(False)))
NO_TX = "PRECONDITION_FAILED - channel is not transactional"
_row("commit without transaction", "channel", 406, NO_TX, method(1, "tx.commit"))
_row("rollback without transaction", "channel", 406, NO_TX, method(1, "tx.rollback"))
_row(
    "from tx to confirms",
    "channel",
    406,
    "PRECONDITION_FAILED - cannot switch from tx to confirm mode",
    TX + CONFIRM,
)
_row(
    "from confirms to tx",
    "channel",
    406,
    "PRECONDITION_FAILED - cannot switch from confirm to tx mode",
    CONFIRM + TX,
)

# Methods and frames that don't belong where they come

_row(
    "channel open twice",
    "connection",
    504,
    "CHANNEL_ERROR - second 'channel.open' seen",
    method(1, "channel.open", shortstr("")),
    exact=True,
)
_row(
    "a channel that isn't open",
    "connection",
    504,
    "CHANNEL_ERROR - expected 'channel.open'",
    declare(channel=2),
)
_row(
    "content for a channel that isn't open",
    "connection",
    505,
    "UNEXPECTED_FRAME - expected method frame, got non method frame instead",
    wire.header(2, 0),
)
_row(
    "a method of the server's",
    "connection",
    503,
    "COMMAND_INVALID - unimplemented method",
    method(1, "basic.get-empty", shortstr("")),
)
_row(
    "channel 0 for a channel's method",
    "connection",
    504,
    "CHANNEL_ERROR - unexpected method in connection state running",
    declare(channel=0),
)
_row(
    "start-ok while running",
    "connection",
    504,
    "CHANNEL_ERROR - unexpected method in connection state running",
    method(0, "connection.start-ok", table(), shortstr("PLAIN"), wire.longstr("\0guest\0guest"), shortstr("en_US")),
)
_row(
    "content without a method",
    "connection",
    505,
    "UNEXPECTED_FRAME - expected method frame, got non method frame instead",
    wire.header(1, 0),
)
_row(
    "a method instead of a header",
    "connection",
    505,
    "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead",
    publish_method() + ACK_82,
)
_row(
    "a body instead of a header",
    "connection",
    505,
    "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead",
    publish_method() + wire.body(1, b"body"),
)
_row(
    "a header of another class",
    "connection",
    505,
    "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead",
    publish_method() + wire.header(1, 0, class_id=50),
)
_row(
    "a header of another weight",
    "connection",
    505,
    "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead",
    publish_method() + wire.header(1, 0, weight=1),
)
_row(
    "a method instead of a body",
    "connection",
    505,
    "UNEXPECTED_FRAME - expected content body, got non content body frame instead",
    publish_method() + wire.header(1, 5) + ACK_82,
)
_row(
    "a frame without its end",
    "connection",
    501,
    "FRAME_ERROR - type 1, all octets = <<0,60,0,99>>: {invalid_frame_end_marker,0}",
    wire.frame(wire.METHOD, 1, short(60) + short(99), end=0),
)
_row(
    "a frame too large",
    "connection",
    501,
    "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,140000,131064}",
    publish_method() + wire.header(1, 140000) + wire.body(1, b"x" * 140000),
)
_row(
    "a frame of an unknown type",
    "connection",
    501,
    'FRAME_ERROR - type 9, all octets = <<"payload">>: unknown_frame',
    wire.frame(9, 1, b"payload"),
)
_row(
    "a heartbeat of a channel",
    "connection",
    505,
    "UNEXPECTED_FRAME - type 8, all octets = <<>>",
    wire.heartbeat(1),
)
_row(
    "content on channel 0",
    "connection",
    505,
    "UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,0,0,0>>",
    wire.header(0, 0),
)
_row(
    "a method frame of three octets",
    "connection",
    501,
    "FRAME_ERROR - type 1, all octets = <<0,0,0>>: unknown_frame",
    wire.frame(wire.METHOD, 1, b"\0\0\0"),
)
_row(
    "one channel too many",
    "connection",
    530,
    "NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)",
    b"".join(method(number, "channel.open", shortstr("")) for number in range(2, 2049)),
)
