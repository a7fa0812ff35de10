"""Receivers that say by filters which messages of a stream they want (AMQP Filter Expressions 1.0; spec H.1)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.adapters.amqp10.test_streams import bodies
from tests.support.late_queue import LateQueue
from tests.support.simulated_amqp10 import Amqp10Client, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import described, encode, map_of
from warren.adapters.amqp10.codec.performatives import SETTLED, Attach, Detach
from warren.adapters.amqp10.codec.sections import APPLICATION_PROPERTIES, MessageHeader, MessageProperties
from warren.adapters.amqp10.codec.termini import Source
from warren.adapters.amqp10.codec.values import Described, Milliseconds, Symbol, UByte, UInt, ULong, Value
from warren.core.declaring.queues import declare_queue

SQL = Symbol("amqp:sql-filter")
PROPERTIES = Symbol("amqp:properties-filter")
APPLICATIONS = Symbol("amqp:application-properties-filter")
FIRST: dict[str, Any] = {"rabbitmq:stream-offset-spec": Described(Symbol("rabbitmq:stream-offset-spec"), "first")}

UNIQUE = UUID("00112233-4455-6677-8899-aabbccddeeff")


def message(body: bytes, applications: dict[str, Value] | None = None, priority: int = 0, **fields: Any) -> bytes:
    parts = []
    if priority:
        header = MessageHeader()
        header.priority = UByte(priority)
        parts.append(encode_composite(header))
    if fields:
        properties = MessageProperties()
        for name, value in fields.items():
            setattr(properties, name, value)
        parts.append(encode_composite(properties))
    if applications:
        entries = [encode(each) for pair in applications.items() for each in pair]
        parts.append(described(APPLICATION_PROPERTIES, map_of(entries)))
    return b"".join(parts) + b"\x00\x53\x75\xa0%c" % len(body) + body


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """A connection, and a stream of seven messages that it has published."""
    made: Amqp10Client = connect()
    declare_queue(made.connection.logged_in, "s", durable=True, arguments={"x-queue-type": "stream"})
    made.attach_sender("/queues/s")
    for each in (
        message(b"0"),
        message(b"1", {"n": 1, "color": "red"}),
        message(b"2", {"n": 2.5, "color": "blue"}, subject="order new", group_id="eu-1"),
        message(b"3", {"n": 3, "odd": True}, priority=9, message_id=UNIQUE, user_id=b"guest"),
        message(b"4", {"n": 4}, message_id=ULong(7), creation_time=Milliseconds(1), content_type=Symbol("text/plain")),
        message(b"5", {"&x": "&y"}, group_sequence=UInt(5), correlation_id=b"c", to="/queues/s"),
        message(b"6", {"n": 3, "odd": True}, priority=9, message_id=UNIQUE, user_id=b"guest"),
    ):
        made.publish(each)
    return made


def source_with(filters: dict[str, Any], queue: str = "s") -> Source:
    source = Source()
    source.address = f"/queues/{queue}"
    source.filter = {Symbol(name): value for name, value in filters.items()}
    return source


def read(client: Amqp10Client, filters: dict[str, Any]) -> list[bytes]:
    source = source_with({**FIRST, **filters})
    answer = only(Attach, client.attach_receiver(None, source=source, snd_settle_mode=SETTLED)).source
    assert {*filters} <= {*answer.filter}
    return bodies(client.credit(100))


def test_the_name_of_a_filter_is_the_receivers_choice(client: Amqp10Client) -> None:
    source = source_with({"where": Described(Symbol("rabbitmq:stream-offset-spec"), 5)})
    client.attach_receiver(None, source=source, snd_settle_mode=SETTLED)
    assert bodies(client.credit(100)) == [b"5", b"6"]


def test_links_offer_filters(client: Amqp10Client) -> None:
    declare_queue(client.connection.logged_in, "q", durable=True)
    for handle, queue in ((1, "s"), (2, "q")):
        source = source_with({}, queue)
        answer = only(Attach, client.attach_receiver(None, handle, source=source, snd_settle_mode=SETTLED))
        assert answer.offered_capabilities == ["AMQP_FILTEX_PROP_V1_0", "AMQP_FILTEX_SQL_V1_0"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("n >= 2 AND n < 4", "236"),
        ("color IN ('red', 'green') OR odd", "136"),
        ("properties.subject LIKE 'order %'", "2"),
        ("p.subject IS NOT NULL", "2"),
        ("h.priority > 4", "36"),
        ("header.priority = 4", "01245"),
        ("p.message_id = 0x00112233445566778899AABBCCDDEEFF", "36"),
        ("p.message_id = 7", "4"),
        ("p.creation_time < UTC() - 60000", "4"),
        ("p.content_type = 'text/plain'", "4"),
        ("p.group_sequence % 2 = 1", "5"),
        ("p.user_id = 0x6775657374", "36"),
        ("p.to = '/queues/s'", "5"),
        ("[&x] = '&y'", "5"),
        ("n IS NULL", "05"),
        ("FALSE", ""),
        ("TRUE", "0123456"),
    ],
)
@pytest.mark.parametrize("descriptor", [SQL, ULong(0x120)])
def test_sql(client: Amqp10Client, descriptor: Any, expression: str, expected: str) -> None:
    found = read(client, {"sql-filter": Described(descriptor, expression)})
    assert b"".join(found).decode() == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"subject": "order new"}, "2"),
        ({"subject": "&p:order"}, "2"),
        ({"subject": "&s:new"}, "2"),
        ({"subject": "&s:order"}, ""),
        ({"group-id": "&p:eu-", "subject": "&s:w"}, "2"),
        ({"message-id": UNIQUE}, "36"),
        ({"message-id": ULong(7)}, "4"),
        ({"correlation-id": b"c"}, "5"),
        ({"user-id": b"guest"}, "36"),
        ({"creation-time": Milliseconds(1)}, "4"),
        ({"group-sequence": UInt(5)}, "5"),
        ({"content-type": Symbol("text/plain")}, "4"),
        ({"to": "/queues/s"}, "5"),
        ({"reply-to": None}, "0123456"),
        ({"reply-to": "x"}, ""),
    ],
)
@pytest.mark.parametrize("descriptor", [PROPERTIES, ULong(0x173)])
def test_properties(client: Amqp10Client, descriptor: Any, wanted: dict[str, Value], expected: str) -> None:
    value: Any = {Symbol(name): each for name, each in wanted.items()}
    assert b"".join(read(client, {"my filter": Described(descriptor, value)})).decode() == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"n": 3}, "36"),
        ({"n": 2.5}, "2"),
        ({"n": 1.0}, "1"),
        ({"color": "&p:b"}, "2"),
        ({"odd": True, "n": 3}, "36"),
        ({"odd": 1}, ""),
        ({"n": None}, "0123456"),
        ({"&x": "&&y"}, "5"),
    ],
)
@pytest.mark.parametrize("descriptor", [APPLICATIONS, ULong(0x174)])
def test_application_properties(client: Amqp10Client, descriptor: Any, wanted: Any, expected: str) -> None:
    assert b"".join(read(client, {"f": Described(descriptor, wanted)})).decode() == expected


def test_both_kinds_must_agree(client: Amqp10Client) -> None:
    properties: Any = {Symbol("message-id"): UNIQUE}
    for number, expected in ((3, [b"3", b"6"]), (4, [])):
        wanted: Any = {"n": number}
        filters = {"p": Described(PROPERTIES, properties), "a": Described(APPLICATIONS, wanted)}
        source = source_with({**FIRST, **filters})
        client.attach_receiver(None, source=source, snd_settle_mode=SETTLED, handle=number, name=str(number))
        assert bodies(client.credit(100, handle=number)) == expected


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ([(SQL, "n >")], "the filter f0: it ends where"),
        ([(SQL, 5)], "is a string"),
        ([(SQL, "n = 1"), (SQL, "n = 2")], "more than one expression"),
        ([(SQL, "n = 1"), (APPLICATIONS, {"n": 1})], "exclude each other"),
        ([(APPLICATIONS, {"n": 1}), (SQL, "n = 1")], "exclude each other"),
        ([(APPLICATIONS, {"n": 1}), (APPLICATIONS, {"n": 2})], "more than one filter of this kind"),
        ([(APPLICATIONS, {})], "at least one"),
        ([(APPLICATIONS, {str(number): 1 for number in range(17)})], "at most 16"),
        ([(APPLICATIONS, "n")], "is a map"),
        ([(APPLICATIONS, {5: 1})], "no int"),
        ([(APPLICATIONS, {"n": [1]})], "can't be compared with a list"),
        ([(APPLICATIONS, {"n": "&x"})], "begins with &"),
        ([(PROPERTIES, {Symbol("color"): "x"})], "there is no property 'color'"),
    ],
)
def test_what_cannot_be_understood_is_refused(
    client: Amqp10Client, simulated: SimulatedBroker, filters: list[tuple[Any, Any]], text: str
) -> None:
    asked = {f"f{number}": Described(descriptor, value) for number, (descriptor, value) in enumerate(filters)}
    answers = client.attach_receiver(None, source=source_with(asked))
    error = only(Detach, answers[1:]).error
    assert error.condition == "amqp:invalid-field"
    assert text in error.description
    assert not simulated.vhost.queue("s").consumers


def test_a_queue_of_a_type_without_selectors_grants_no_such_filter(
    client: Amqp10Client, simulated: SimulatedBroker
) -> None:
    queue = LateQueue(simulated.vhost, "late")
    simulated.vhost.queues["late"] = queue
    source = source_with({"sql-filter": Described(SQL, "n >")}, "late")
    answer = only(Attach, client.attach_receiver(None, source=source))
    assert (answer.source.filter, answer.offered_capabilities) == (None, [])


def test_what_is_left_out_is_passed_in_turns(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    """It takes work, too, so others have their turns in between."""
    for number in range(3000):
        client.publish(message(b"x", {"n": 100 + number}), settled=True)
    source = source_with({**FIRST, "sql-filter": Described(SQL, "n = 3099")})
    client.attach_receiver(None, source=source, snd_settle_mode=SETTLED)
    before = simulated.broker.turn
    assert bodies(client.credit(10)) == [b"x"]
    assert simulated.broker.turn - before > 5
