"""The AMQP 0-8 dialect: payloads as py-amqplib 1.0.2 sends and expects them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.amqp091.codec import methods, methods_legacy
from warren.adapters.amqp091.codec.methods import (
    AccessRequest,
    BasicConsume,
    ChannelOpenOk,
    ConnectionClose,
    ConnectionCloseOk,
    Method,
    QueueDeclare,
    QueueDeclareOk,
)
from warren.core.errors import BrokerError, MalformedField

SENT = [
    (b"\0\x0a\0\x3c\0\xc8\x02ok\0\0\0\0", ConnectionClose(200, "ok")),
    (b"\0\x0a\0\x3d", ConnectionCloseOk()),
    (b"\0\x3c\0\x14\0\x01\x01q\x01t\x02", BasicConsume(1, "q", "t", no_ack=True)),
    (b"\0\x1e\0\x0a\x05/data\x1e", AccessRequest()),
    (b"\0\x32\0\x0a\0\x01\x01q\x02\0\0\0\0", QueueDeclare(1, "q", durable=True)),
]


@pytest.mark.parametrize(("payload", "method"), SENT)
def test_what_the_client_sends(payload: bytes, method: Method) -> None:
    decoded = methods_legacy.decode(b"??" + payload + b"!!", 2, 2 + len(payload))
    assert decoded == method


@pytest.mark.parametrize(
    ("method", "payload"),
    [
        (ConnectionClose(320, "x", 1, 2), b"\0\x0a\0\x3c\x01\x40\x01x\0\x01\0\x02"),
        (ConnectionCloseOk(), b"\0\x0a\0\x3d"),
        (ChannelOpenOk(), b"\0\x14\0\x0b"),
        (QueueDeclareOk("q", 1, 2), b"\0\x32\0\x0b\x01q\0\0\0\x01\0\0\0\x02"),
    ],
)
def test_what_the_client_is_sent(method: Method, payload: bytes) -> None:
    assert methods_legacy.encode_frame(3, method) == methods.frame(3, payload)


@pytest.mark.parametrize(("payload", "method"), SENT)
def test_every_truncation_is_malformed(payload: bytes, method: Method) -> None:
    for end in range(len(payload)):
        with pytest.raises(MalformedField):
            methods_legacy.decode(payload, 0, end)


@given(st.binary(max_size=40), st.sampled_from([b"", b"\0\x0a\0\x3c", b"\0\x0a\0\x3d", b"\0\x3c\0\x14"]))
def test_arbitrary_bytes_raise_nothing_but_broker_errors(payload: bytes, ids: bytes) -> None:
    try:
        methods_legacy.decode(ids + payload, 0, len(ids + payload))
    except BrokerError:
        pass
