"""Every command of the stream protocol by a real client: who sends it, or is sent it, as a proxy between sees it.

One command neither of the two clients knows: it is covered by its bytes (tests/adapters/stream/test_managing.py,
tests/conformance/test_stream_protocol.py).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from typing import Any, Final

import pytest
from rstream import AMQPMessage, CompressionType, Producer

from tests.interop import test_rstream, test_rstream_super_streams
from tests.interop.clients import FOLDER, need, run_for_json
from tests.support.stream_proxy import StreamProxy, stream_proxy
from tests.support.warren_process import warren_process
from warren.adapters.stream.codec.keys import Code, Key

TIME_LIMIT_S = 60.0

MESSAGE_BYTES_MAX = 4096

NPM: Final = "rabbitmq-stream-js-client"
RSTREAM: Final = "rstream"
BOTH: Final = f"{NPM}, {RSTREAM}"
BYTES: Final = "bytes alone"

BY: Final = {
    Key.DECLARE_PUBLISHER: BOTH,
    Key.PUBLISH: BOTH,
    Key.PUBLISH_CONFIRM: BOTH,
    Key.PUBLISH_ERROR: BOTH,
    Key.QUERY_PUBLISHER_SEQUENCE: NPM,
    Key.DELETE_PUBLISHER: BOTH,
    Key.SUBSCRIBE: BOTH,
    Key.DELIVER: BOTH,
    Key.CREDIT: BOTH,
    Key.STORE_OFFSET: BOTH,
    Key.QUERY_OFFSET: BOTH,
    Key.UNSUBSCRIBE: BOTH,
    Key.CREATE: BOTH,
    Key.DELETE: BOTH,
    Key.METADATA: BOTH,
    Key.METADATA_UPDATE: NPM,
    Key.PEER_PROPERTIES: BOTH,
    Key.SASL_HANDSHAKE: BOTH,
    Key.SASL_AUTHENTICATE: BOTH,
    Key.TUNE: BOTH,
    Key.OPEN: BOTH,
    Key.CLOSE: NPM,
    Key.HEARTBEAT: RSTREAM,
    Key.ROUTE: BOTH,
    Key.PARTITIONS: BOTH,
    Key.CONSUMER_UPDATE: BOTH,
    Key.EXCHANGE_COMMAND_VERSIONS: NPM,
    Key.STREAM_STATS: NPM,
    Key.CREATE_SUPER_STREAM: BOTH,
    Key.DELETE_SUPER_STREAM: BOTH,
    Key.RESOLVE_OFFSET_SPEC: BYTES,
}
"""Which client sends a command, or is sent it by the broker, in these tests."""

FROM_THE_BROKER: Final = frozenset(
    {Key.PUBLISH_CONFIRM, Key.PUBLISH_ERROR, Key.DELIVER, Key.METADATA_UPDATE, Key.CONSUMER_UPDATE, Key.HEARTBEAT}
)
"""Commands that the broker sends."""

WITHOUT_ANSWER: Final = frozenset({Key.PUBLISH, Key.CREDIT, Key.STORE_OFFSET, Key.HEARTBEAT})


@pytest.fixture
def proxy() -> Iterator[StreamProxy]:
    """Before a broker that calls itself by the proxy's address, as clients connect to where Metadata says."""
    with stream_proxy() as made:
        options = [f"max_message_bytes={MESSAGE_BYTES_MAX}", "stream_advertised_host=127.0.0.1"]
        options.append(f"stream_advertised_port={made.port}")
        with warren_process(
            listen=("amqp=127.0.0.1:0", "stream=127.0.0.1:0"),
            options=[word for option in options for word in ("--set", option)],
        ) as process:
            made.target = process.addresses["stream"][1]
            yield made
            assert "Traceback" not in process.log.read_text()


def check(proxy: StreamProxy, client: str) -> None:
    """All commands that the table has for a client went by, each from where it comes from, and its answer."""
    own = {key for key, who in BY.items() if client in who}
    from_clients = {Key(key) for key in proxy.from_clients}
    from_broker = {Key(key) for key in proxy.from_broker}
    assert own & FROM_THE_BROKER <= from_broker
    assert own - FROM_THE_BROKER <= from_clients
    assert own - FROM_THE_BROKER - WITHOUT_ANSWER <= from_broker, "each is answered"
    assert Key.CONSUMER_UPDATE not in own or Key.CONSUMER_UPDATE in from_clients, "it is answered by the client"


def test_the_table_has_every_command() -> None:
    assert set(BY) == set(Key)
    assert [key.name for key, who in BY.items() if who == BYTES] == ["RESOLVE_OFFSET_SPEC"]


def test_the_client_for_node(proxy: StreamProxy) -> None:
    node = shutil.which("node") or ""
    need(bool(node), "Node.js")
    need((FOLDER / "node" / "node_modules" / NPM).is_dir(), f"{NPM} (npm ci --prefix tests/interop/node)")
    for program in ("stream.js", "super_stream.js"):
        assert run_for_json([node, str(FOLDER / "node" / program), str(proxy.port), f"commands-{program}"])
    check(proxy, NPM)


def test_the_client_for_python(proxy: StreamProxy) -> None:
    test_rstream.test_offsets_say_where_to_begin_and_are_kept(proxy.port, "offsets")
    test_rstream.test_batches_are_read(proxy.port, "batches", CompressionType.Gzip)
    test_rstream_super_streams.test_keys_lead_to_partitions_and_all_are_read(proxy.port, "keys")
    test_rstream_super_streams.test_single_active_consumers_share_the_partitions_and_go_on_for_each_other(
        proxy.port, "turns"
    )
    test_rstream.run(refused_and_idle(proxy))
    check(proxy, RSTREAM)


async def refused_and_idle(proxy: StreamProxy) -> None:
    """A message that is too large is refused by its publishing id, with the code; then nothing happens for a while."""
    answers: list[Any] = []
    answered = asyncio.Event()

    async def on_confirm(status: Any) -> None:
        answers.append((status.message_id, status.is_confirmed, status.response_code))
        if len(answers) == 2:
            answered.set()

    async with Producer("127.0.0.1", proxy.port, heartbeat=1, **test_rstream.LOGIN) as producer:
        await producer.create_stream("refused")
        batch = [AMQPMessage(body=b"taken"), AMQPMessage(body=bytes(MESSAGE_BYTES_MAX + 1))]
        await producer.send_batch("refused", batch, on_publish_confirm=on_confirm)
        await answered.wait()
        (first, *rest), second = sorted(answers)
        assert rest[0] is True
        assert second == (first + 1, False, Code.PRECONDITION_FAILED)
        assert await asyncio.to_thread(proxy.wait_for, proxy.from_broker, Key.HEARTBEAT, TIME_LIMIT_S)
        await producer.delete_stream("refused")
