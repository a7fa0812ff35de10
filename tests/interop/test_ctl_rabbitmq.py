"""The same commands given to RabbitMQ's programs and Warren's: names, exit codes, and what scripts read of outputs."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pika
import pytest
import trio

from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from warren.gateway.command_line import main as command_line
from warren.gateway.command_line import plugins, shims
from warren.gateway.configuration.config import Config
from warren.gateway.control.words.built_in import WORDS
from warren.gateway.control.words.not_here import NOT_HERE
from warren.gateway.network.addresses import Listener
from warren.gateway.server import open_server

pytestmark = pytest.mark.skipif(not rabbitmq_available(), reason="needs Debian's rabbitmq-server")

LISTEN = (Listener("amqp", "127.0.0.1", 0), Listener("stomp", "127.0.0.1", 0))

Run = Callable[..., tuple[int, str]]
"""Takes a program and its arguments; gives the exit code and what is printed."""

PROGRAMS = ("rabbitmqctl", "rabbitmq-diagnostics", "rabbitmq-queues", "rabbitmq-plugins", "rabbitmq-upgrade")

SETTING_UP = """
rabbitmqctl add_vhost v
rabbitmqctl add_user alice secret
rabbitmqctl set_user_tags alice monitoring policymaker
rabbitmqctl set_permissions -p v alice ^a .* ^r
rabbitmqctl set_topic_permissions -p v alice amq.topic ^w ^r
rabbitmqctl set_policy -p v --priority 3 --apply-to queues limits ^q {"max-length":10,"expires":900000}
rabbitmqctl set_operator_policy -p v most ^q {"max-length":7}
rabbitmqctl set_vhost_limits -p v {"max-queues":50}
rabbitmqctl set_user_limits alice {"max-connections":5}
rabbitmqctl set_global_parameter mine {"a":[1,"x"]}
""".strip().splitlines()

LISTINGS = """
list_users
list_vhosts
list_vhosts name tracing
list_permissions -p v
list_permissions -p /
list_user_permissions alice
list_user_permissions guest
list_topic_permissions -p v
list_user_topic_permissions alice
list_policies -p v
list_policies
list_operator_policies -p v
list_vhost_limits -p v
list_user_limits --user alice
list_parameters -p v
list_queues -p v
list_queues -p v name messages durable auto_delete arguments policy type
list_exchanges -p v
list_exchanges -p v name type durable auto_delete internal
list_bindings -p v
list_bindings -p v source_name destination_kind routing_key arguments
list_consumers -p v queue_name consumer_tag ack_required prefetch_count active activity_status arguments
list_connections
list_channels
list_feature_flags nothing_of_them
""".strip().splitlines()[:-1]
"""Tables that are the same in both, row for row."""

WITHOUT_HEADS = ("list_user_permissions alice", "list_user_permissions guest", "list_user_topic_permissions alice")
"""Of these RabbitMQ 3.10 prints no heads, or later ones do."""

FACTS = """
rabbitmqctl ping
rabbitmqctl status
rabbitmqctl cluster_status
rabbitmq-diagnostics alarms
rabbitmq-diagnostics check_alarms
rabbitmq-diagnostics check_local_alarms
rabbitmq-diagnostics check_running
rabbitmq-diagnostics check_virtual_hosts
rabbitmq-diagnostics check_port_connectivity
rabbitmq-diagnostics check_protocol_listener amqp
rabbitmq-diagnostics check_certificate_expiration
rabbitmq-diagnostics is_running
rabbitmq-diagnostics is_booting
rabbitmq-diagnostics server_version
rabbitmq-diagnostics listeners
rabbitmq-diagnostics log_location
rabbitmq-diagnostics memory_breakdown
rabbitmq-diagnostics tls_versions
rabbitmq-queues check_if_node_is_quorum_critical
rabbitmq-queues quorum_status -p v quorum
rabbitmq-plugins list
rabbitmq-plugins is_enabled rabbitmq_stomp
rabbitmq-plugins directories
""".strip().splitlines()
"""Whose JSON has the same names, as far as they mean something here."""

NAMES_LEFT_OUT = {
    "the one node": {"node"},
    "Erlang's": {
        "erlang_version",
        "crypto_lib_version",
        "net_ticktime",
        "processes",
        "run_queue",
        "os",
        "vm_memory_calculation_strategy",
        "raft_data_directory",
    },
    "standard error": {"log_files"},
    "the key `plugins`": {"enabled_plugin_file"},
    "one version": {"release_series_support_status"},
    "no log of Raft": {"Log Index", "Commit Index", "Snapshot Index", "Term", "Machine Version"},
    "a protocol's listener is asked for by name": {"protocol"},
}
"""Names in JSON that RabbitMQ has and Warren hasn't, by the reason."""

REFUSED = """
rabbitmqctl add_user alice other
rabbitmqctl delete_user nobody
rabbitmqctl change_password nobody x
rabbitmqctl set_user_tags nobody x
rabbitmqctl set_permissions nobody .* .* .*
rabbitmqctl clear_permissions nobody
rabbitmqctl set_topic_permissions nobody x y z
rabbitmqctl list_permissions -p nowhere
rabbitmqctl delete_vhost nowhere
rabbitmqctl set_vhost_limits -p nowhere {}
rabbitmqctl authenticate_user alice wrong
rabbitmqctl nonsense
rabbitmqctl add_vhost
rabbitmqctl list_queues nonsense
rabbitmqctl list_queues --nonsense
rabbitmqctl set_vm_memory_high_watermark nonsense
rabbitmqctl set_disk_free_limit nonsense
rabbitmqctl reset
rabbitmqctl join_cluster x@y
rabbitmqctl set_policy x ( {"max-length":1}
rabbitmqctl set_policy x .* {}
rabbitmqctl set_parameter x y nonsense
rabbitmqctl clear_parameter x y
rabbitmqctl clear_policy none
rabbitmqctl clear_global_parameter none
rabbitmqctl set_user_limits guest nonsense
rabbitmqctl set_log_level loud
rabbitmqctl purge_queue none
rabbitmqctl delete_queue none
rabbitmqctl close_connection nonsense x
rabbitmqctl enable_feature_flag nonsense
rabbitmqctl list_user_permissions nobody
rabbitmq-diagnostics check_port_listener 1
rabbitmq-diagnostics check_protocol_listener mqtt
rabbitmq-queues quorum_status -p v none
rabbitmq-queues quorum_status -p v queue
rabbitmq-plugins is_enabled rabbitmq_management
rabbitmq-plugins enable nonsense
""".strip().splitlines()

OTHER_CODES = {
    (69, 70): "69 is kept for a broker that isn't there; what it refuses is 70",
    (69, 65): "a thing that isn't there, and an argument that can't be, are 65 whatever the word",
    (64, 65): "the same",
    (69, 67): "a user that isn't there is 67 whatever the word",
    (64, 70): "a broker that has to be stopped first refuses",
}
"""Pairs of exit codes, RabbitMQ's and ours, by the reason."""


def use(port: int) -> Any:
    """Declare something, and stay connected."""
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, "v"))
    channel = connection.channel()
    channel.queue_declare("queue", durable=True, arguments={"x-max-length": 5, "x-message-ttl": 60_000})
    channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    channel.exchange_declare("mine", "fanout", durable=True)
    channel.queue_bind("queue", "amq.topic", "a.#", {"x": "y"})
    channel.exchange_bind("mine", "amq.topic", "b.#")
    channel.basic_publish("", "queue", b"one")
    channel.basic_consume("quorum", lambda *_: None, consumer_tag="c")
    channel.queue_declare("queue", passive=True)
    return connection


@pytest.fixture(scope="module")
def theirs() -> Iterator[tuple[RabbitMQ, Run]]:
    with rabbitmq(plugins=("rabbitmq_stomp",)) as node:

        def run(program: str, *words: str) -> tuple[int, str]:
            return node.commands.run(*words, program=program)

        with set_up(run, node.amqp_port):
            yield node, run


@contextmanager
def set_up(run: Run, port: int) -> Iterator[None]:
    for line in SETTING_UP:
        assert run(*line.split())[0] == 0, line
    assert run("rabbitmqctl", "set_permissions", "-p", "v", "guest", ".*", ".*", ".*")[0] == 0
    connection = use(port)
    try:
        yield
    finally:
        connection.close()


def ours(directory: Path) -> Run:
    def run(program: str, *words: str) -> tuple[int, str]:
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            code = command_line.run([shims.PROGRAMS[program], *words, "--data-dir", str(directory)])
        return code, printed.getvalue()

    return run


async def both(directory: Path, theirs: tuple[RabbitMQ, Run], compare: Callable[[Run, Run], None]) -> None:
    """Call it, in a thread, with both brokers in the same state."""
    config = Config(data_directory=directory, in_memory=True, listen=LISTEN)
    async with open_server(config) as server:
        ((_, port),) = server.listening["amqp"]

        def run() -> None:
            mine = ours(directory)
            with set_up(mine, port):
                compare(theirs[1], mine)

        await trio.to_thread.run_sync(run)


def of_json(run: Run, program: str, *words: str) -> Any:
    code, text = run(program, *words, "--formatter", "json")
    assert code == 0, (program, words, text)
    return json.loads(text)


IGNORED_COLUMNS = {"pid", "peer_port", "peer_host", "channel_pid"}
"""Ids and ports of each broker's own; an address, which is a list of numbers in the JSON of RabbitMQ 3.10."""


def ordered(rows: list[dict[str, Any]]) -> list[str]:
    """The rows in an order that doesn't depend on the broker, nor on that of names in JSON within a cell."""
    return sorted(
        json.dumps({name: _cell(each) for name, each in row.items() if name not in IGNORED_COLUMNS}, sort_keys=True)
        for row in rows
    )


def _cell(value: Any) -> Any:
    """Arguments are an object in Warren's JSON, and names, types and values in RabbitMQ's."""
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    if isinstance(value, list) and all(isinstance(each, list) for each in value):
        return {name: each for name, _, each in value}
    return value


async def test_tables(tmp_path: Path, theirs: tuple[RabbitMQ, Run]) -> None:
    def compare(them: Run, us: Run) -> None:
        for line in LISTINGS:
            wanted, found = (of_json(run, "rabbitmqctl", *line.split()) for run in (them, us))
            if isinstance(wanted, dict):
                assert found == json.loads(wanted["value" if "value" in wanted else "message"]), line
                continue
            assert ordered(found) == ordered(wanted), line
            for options in (("-q",), ("-s",), ("-q", "--no-table-headers")):
                texts = [run("rabbitmqctl", *line.split(), *options)[1] for run in (them, us)]
                counts = [len(text.strip().splitlines()) for text in texts]
                heads = [text.strip().splitlines()[:1] for text in texts]
                if line not in WITHOUT_HEADS or "--no-table-headers" in options:
                    assert counts[0] == counts[1], (line, options, texts)
                    assert options != ("-q",) or heads[0] == heads[1], (line, texts)

    await both(tmp_path, theirs, compare)


async def test_tables_as_text(tmp_path: Path, theirs: tuple[RabbitMQ, Run]) -> None:
    """What shell scripts cut into fields."""

    def compare(them: Run, us: Run) -> None:
        for line in (
            "-q list_users",
            "-q list_vhosts",
            "-q list_permissions -p v",
            "-q list_policies -p v --no-table-headers",
            "-q list_queues -p v name messages durable type",
            "-s list_exchanges -p v name type durable",
            "-q list_users --formatter csv",
        ):
            wanted, found = (run("rabbitmqctl", *line.split())[1].split("\n") for run in (them, us))
            assert sorted(map(str.rstrip, found)) == sorted(map(str.rstrip, wanted)), line

    await both(tmp_path, theirs, compare)


def names_in(value: object) -> set[str]:
    if isinstance(value, dict):
        return {str(name) for name in value}
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    return set()


async def test_names_in_json(tmp_path: Path, theirs: tuple[RabbitMQ, Run]) -> None:
    left_out = set().union(*NAMES_LEFT_OUT.values())

    def compare(them: Run, us: Run) -> None:
        used: set[str] = set()
        for line in FACTS:
            wanted, found = (names_in(of_json(run, *line.split())) for run in (them, us))
            if "memory_breakdown" in line:
                assert {"queue_procs", "quorum_queue_procs", "plugins", "other_system"} <= wanted & found
                continue
            missing = wanted - found
            assert not {name for name in missing - left_out if "@" not in name and name != "running_version"}, line
            used |= missing
        assert left_out - used == set(), "differences that are none any more"

    await both(tmp_path, theirs, compare)


async def test_exit_codes(tmp_path: Path, theirs: tuple[RabbitMQ, Run]) -> None:
    def compare(them: Run, us: Run) -> None:
        used = set()
        for line in REFUSED:
            codes = tuple(run(*line.split())[0] for run in (them, us))
            assert codes[0] != 0, line
            if codes[0] != codes[1]:
                assert codes in OTHER_CODES, (line, codes)
                used.add(codes)
        assert used == set(OTHER_CODES)

    await both(tmp_path, theirs, compare)


def test_a_broker_that_isnt_there(tmp_path: Path, theirs: tuple[RabbitMQ, Run]) -> None:
    code, _ = ours(tmp_path)("rabbitmq-diagnostics", "-q", "ping")
    assert code == 69
    assert theirs[0].commands.run("-q", "ping", "-n", "nowhere@localhost", program="rabbitmq-diagnostics")[0] == 69


def test_every_word_is_known(theirs: tuple[RabbitMQ, Run]) -> None:
    """Each of RabbitMQ's is a word of Warren's, or one that says why it does nothing here."""
    of_client = {"help"}
    for program in PROGRAMS:
        code, text = theirs[1](program, "help")
        assert code == 0
        words = set(re.findall(r"^   (\w+) {2,}", text, re.MULTILINE))
        assert len(words) > 5
        known = set(plugins.SYNTAXES) | {"version"} if program == "rabbitmq-plugins" else set(WORDS)
        assert words - known - set(NOT_HERE) - of_client == set(), program
