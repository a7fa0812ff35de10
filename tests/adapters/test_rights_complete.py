"""Whatever a codec knows that clients may say is in the matrix of rights, or it is said here why it needs no right.

So an operation that is added to a protocol fails this, until somebody has thought of its rights.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Set
from typing import Final

import pytest

from tests.adapters.test_rights_matrix import TABLE
from tests.support.docstrings import module_docstring
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp10.codec import performatives
from warren.adapters.direct.session import DirectSession
from warren.adapters.mqtt.codec import versions
from warren.adapters.stomp.codec.frames import CLIENT_COMMANDS
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.keys import Key

OF_THE_CONNECTION: Final = "of the connection itself, which `enter` lets in"
SETTLES: Final = "settles or asks for what a right has been asked for"
ENDS: Final = "ends what is the client's own"
ASKS_NOTHING: Final = "tells what anybody may know who was let in"
FROM_THE_BROKER: Final = "said by the broker"

AMQP: Final[Mapping[str, str]] = {
    **dict.fromkeys(("connection", "channel"), OF_THE_CONNECTION),
    "access.request": "does nothing",
    "basic.ack": SETTLES,
    "basic.nack": SETTLES,
    "basic.reject": SETTLES,
    "basic.recover": SETTLES,
    "basic.recover-async": SETTLES,
    "basic.qos": SETTLES,
    "basic.cancel": ENDS,
    "confirm.select": OF_THE_CONNECTION,
    "tx.select": OF_THE_CONNECTION,
    "tx.rollback": ENDS,
    **dict.fromkeys(("basic.deliver", "basic.return"), FROM_THE_BROKER),
    "basic.get-empty": FROM_THE_BROKER,
}

AMQP_1_0: Final[Mapping[str, str]] = {
    "Open": "enter",
    "Begin": OF_THE_CONNECTION,
    "Attach": "attach to receive",
    "Flow": SETTLES,
    "Transfer": "send to",
    "Disposition": "settle in a transaction",
    "Detach": ENDS,
    "End": ENDS,
    "Close": ENDS,
}

STOMP: Final[Mapping[str, str]] = {
    "CONNECT": "enter",
    "STOMP": "enter",
    "UNSUBSCRIBE": ENDS,
    "ACK": SETTLES,
    "NACK": SETTLES,
    "BEGIN": OF_THE_CONNECTION,
    "ABORT": ENDS,
    "DISCONNECT": ENDS,
}

MQTT: Final[Mapping[str, str]] = {
    "CONNECT": "enter",
    **dict.fromkeys(("PUBACK", "PUBREC", "PUBREL", "PUBCOMP"), SETTLES),
    **dict.fromkeys(("CONNACK", "SUBACK", "UNSUBACK", "PINGRESP"), FROM_THE_BROKER),
    "UNSUBSCRIBE": ENDS,
    "PINGREQ": OF_THE_CONNECTION,
    "DISCONNECT": ENDS,
    "AUTH": OF_THE_CONNECTION,
}

STREAM: Final[Mapping[str, str]] = {
    **dict.fromkeys(("PUBLISH_CONFIRM", "PUBLISH_ERROR", "DELIVER", "METADATA_UPDATE"), FROM_THE_BROKER),
    **dict.fromkeys(("DELETE_PUBLISHER", "UNSUBSCRIBE", "CLOSE"), ENDS),
    "CREDIT": SETTLES,
    "CONSUMER_UPDATE": SETTLES,
    "METADATA": ASKS_NOTHING,
    "EXCHANGE_COMMAND_VERSIONS": ASKS_NOTHING,
    "OPEN": "enter",
    **dict.fromkeys(("PEER_PROPERTIES", "SASL_HANDSHAKE", "SASL_AUTHENTICATE", "TUNE", "HEARTBEAT"), OF_THE_CONNECTION),
}

IN_THE_PROCESS: Final[Mapping[str, str]] = {
    "publish": "publish",
    "get": "get",
    "consume": "consume",
}

REASONS: Final = {OF_THE_CONNECTION, SETTLES, ENDS, ASKS_NOTHING, FROM_THE_BROKER, "does nothing"}


def _amqp() -> set[str]:
    found = {
        each.NAME
        for each in vars(methods).values()
        if inspect.isclass(each) and issubclass(each, methods.Method) and each is not methods.Method
    }
    answers = {name for name in found if name.endswith("-ok")}
    return found - answers


def _amqp10() -> set[str]:
    return {
        name
        for name, each in vars(performatives).items()
        if inspect.isclass(each) and each.__module__ == performatives.__name__ and name != "Error"
    }


def _mqtt() -> set[str]:
    return {name for name in vars(versions) if name.isupper() and _is_packet(name)}


def _is_packet(name: str) -> bool:
    value = getattr(versions, name)
    return type(value) is int and 1 <= value <= 15 and not name.startswith("V")


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def unthought_of(operations: Iterable[str], known: Mapping[str, str], rows: Set[str]) -> list[str]:
    """Operations that are neither a row of the matrix nor said to need none."""
    found = []
    for operation in sorted(operations):
        said = known.get(operation) or known.get(operation.partition(".")[0])
        if said in REASONS:
            continue
        row = said or operation
        if not any(each == row or each.startswith((f"{row} ", f"{row},")) for each in rows):
            found.append(operation)
    return found


def rows_of(protocol: str) -> set[str]:
    return {operation.name for operation in TABLE[protocol]}


@pytest.mark.parametrize(
    ("protocol", "operations", "known", "fewest"),
    [
        ("AMQP", _amqp(), AMQP, 30),
        ("AMQP 1.0", _amqp10(), AMQP_1_0, 9),
        ("STOMP", set(CLIENT_COMMANDS), STOMP, 11),
        ("MQTT 3.1.1", _mqtt(), MQTT, 15),
        ("MQTT 5", _mqtt(), MQTT, 15),
        ("streams", {key.name for key in Key}, STREAM, 31),
    ],
)
def test_every_operation_of_a_codec_is_in_the_matrix(
    protocol: str, operations: set[str], known: Mapping[str, str], fewest: int
) -> None:
    assert len(operations) >= fewest, sorted(operations)
    assert known.keys() - operations - {name.partition(".")[0] for name in operations} == set(), "said of what isn't"
    rows = rows_of(protocol)
    if protocol == "streams":
        operations = {name if name in known else _camel(name) for name in operations}
    assert unthought_of(operations, known, rows) == []


def test_every_request_of_amqp_1_0_is_in_the_matrix() -> None:
    """Those that the module which does them lists, but for tokens, which are for the connection's own login."""
    said = module_docstring("warren.adapters.amqp10.management_requests")
    listed = re.findall(r"((?:[A-Z]+, )*[A-Z]+) (/[\w/]+(?:/:\w+)?(?:/messages)?)", said)
    requests = {
        (method, path.split("/")[1], path.endswith("/messages"))
        for methods, path in listed
        for method in methods.split(", ")
    }
    assert len(requests) >= 9, listed
    rows = {
        (name.split()[0], re.split(r"[/?]", name.split()[1])[1], name.split()[1].endswith("/messages"))
        for name in rows_of("AMQP 1.0")
        if " /" in name and name.split()[0].isupper()
    }
    assert requests - rows == {("PUT", "auth", False)}


def test_each_command_of_streams_has_a_row_for_each_of_its_versions() -> None:
    later = {layout.type.__name__ for layout in commands.LAYOUTS.values() if layout.version > 1}
    assert later == {"PublishV2", "DeliverV2"}
    assert "Publish of version 2" in rows_of("streams")


def test_what_nobody_has_thought_of_is_noticed() -> None:
    assert unthought_of({"queue.rename"}, AMQP, rows_of("AMQP")) == ["queue.rename"]
    assert unthought_of({"queue.delete"}, AMQP, rows_of("AMQP")) == []


def test_what_a_program_in_the_process_may_do_is_in_the_matrix() -> None:
    words = {name for name, each in vars(DirectSession).items() if inspect.isfunction(each) and name in IN_THE_PROCESS}
    assert words == set(IN_THE_PROCESS)
    assert unthought_of(words, IN_THE_PROCESS, rows_of("in the process")) == []
