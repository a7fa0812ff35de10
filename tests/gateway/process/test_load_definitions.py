"""`load_definitions`: what a broker starts with when the configuration names definitions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.support.simulated_broker import SimulatedBroker
from tests.support.warren_process import REPOSITORY
from warren import gateway
from warren.core.administration.definitions_json.exporting import export_definitions
from warren.core.administration.operations.definitions import HASH_PARAMETER
from warren.core.declaring.queues import remove_queue
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config
from warren.gateway.control import exit_codes as codes
from warren.gateway.process.definitions_file import load_definitions

EXPORTED = REPOSITORY / "tests" / "core" / "administration" / "definitions_json" / "data" / "rabbitmq-3.10.8.json"


async def names(path: Path | None, data_directory: Path, what: str = "queues") -> list[object]:
    """The names of what a broker holds after a start with definitions from `path`."""
    config = Config(in_memory=True, load_definitions=path)
    async with gateway.open_broker(data_directory, config=config) as broker:
        return [row["name"] for row in broker.inspect(what)]


async def refusal(path: Path, data_directory: Path) -> str:
    """Why a broker doesn't start with these definitions."""
    with pytest.RaisesGroup(ConfigError, flatten_subgroups=True, allow_unwrapped=True) as caught:
        await names(path, data_directory)
    error = caught.value
    return str(error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error)


async def test_at_every_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert await names(EXPORTED, data) == ["trans", "q1", "q2", "ad"]
    # The durable ones come from the store, the transient one from the file again.
    assert await names(EXPORTED, data) == ["q1", "q2", "ad", "trans"]
    assert await names(None, data) == ["q1", "q2", "ad"]
    assert await names(EXPORTED, data, "vhosts") == ["/", "v2"]


def test_unchanged_definitions_are_left_out_if_that_is_asked_for(tmp_path: Path) -> None:
    path, simulated = tmp_path / "definitions.json", SimulatedBroker()

    def write(*queues: str) -> None:
        rows = [{"vhost": "/", "name": name, "durable": True} for name in queues]
        path.write_text(json.dumps({"vhosts": [{"name": "/"}], "queues": rows}))

    def load(*, skip: bool = True) -> set[str]:
        """Load, after a restart; the queues that are there then."""
        simulated.restart()
        load_definitions(simulated.broker, path, skip_if_unchanged=skip)
        return set(simulated.vhost.queues)

    def delete(name: str) -> None:
        remove_queue(simulated.vhost, simulated.queue(name))

    write("a", "b")
    assert load() == {"a", "b"}
    delete("a")
    assert load() == {"b"}
    assert load(skip=False) == {"a", "b"}
    delete("b")
    assert load() == {"a"}
    write("a", "c")
    assert load() == {"a", "c"}
    delete("c")
    path.write_text("{")
    with pytest.raises(ConfigError, match="not valid JSON"):
        load()
    write("a", "c")
    assert load() == {"a", "c"}, "another import has been tried since"
    exported = export_definitions(simulated.broker, product_name="", product_version="", rabbitmq_version="").finish()
    assert HASH_PARAMETER not in str(exported)
    simulated.close()


async def test_skipping_across_starts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    data = tmp_path / "data"
    config = Config(load_definitions=EXPORTED, definitions_skip_if_unchanged=True)
    for start in range(2):
        async with gateway.open_broker(data, config=config) as broker:
            assert {row["name"] for row in broker.inspect("vhosts")} == {"/", "v2"}
        assert ("has not changed since it was imported" in caplog.text) == bool(start)


async def test_no_defaults_beside_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "definitions.json"
    path.write_text(json.dumps({"vhosts": [{"name": "only"}]}))
    assert await names(path, tmp_path / "data", "vhosts") == ["only"]
    assert "nobody can log in until one is added" in caplog.text
    assert await names(None, tmp_path / "data", "vhosts") == ["only"]


async def test_a_directory_of_files(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    assert "there is no *.json file in the directory" in await refusal(files, tmp_path / "data")
    (files / "b.json").write_text(json.dumps({"queues": [{"vhost": "v", "name": "q"}]}))
    (files / "a.json").write_text(json.dumps({"vhosts": [{"name": "v"}]}))
    (files / "readme.txt").write_text("no definitions")
    assert await names(files, tmp_path / "data") == ["q"]


async def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "definitions.json"
    assert await refusal(path, tmp_path / "data") == (
        f"load_definitions: {path}: can't be read: No such file or directory"
    )
    path.write_text('{"queues": [{"vhost": "gone", "name": "q"}]}')
    assert await refusal(path, tmp_path / "data") == (
        f"load_definitions: {path}: nothing was imported: queues[0] 'q' in vhost 'gone': "
        "there is no virtual host 'gone', neither here nor in the definitions; add it first"
    )
    assert await names(None, tmp_path / "data", "vhosts") == ["/"]


async def test_a_process_says_it_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "definitions.json"
    path.write_text("{")
    command = [sys.executable, "-m", "warren", "serve", "--listen-only", "amqp=127.0.0.1:0", "--log-level", "error"]
    command += ["--data-dir", str(tmp_path / "data"), "--set", f"load_definitions={path}"]
    done = await trio.to_thread.run_sync(
        lambda: subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    )
    assert done.returncode == codes.CONFIG
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: load_definitions: {path}: nothing was imported: the definitions are not valid JSON")


async def test_an_unknown_default_queue_type(tmp_path: Path) -> None:
    with pytest.RaisesGroup(
        pytest.RaisesExc(ConfigError, match="default_queue_type: 'frob' is not a valid queue type"),
        flatten_subgroups=True,
        allow_unwrapped=True,
    ):
        async with gateway.open_broker(config=Config(in_memory=True, default_queue_type="frob")):
            pass


def test_keys_of_rabbitmq_conf(tmp_path: Path) -> None:
    path = tmp_path / "rabbitmq.conf"
    path.write_text(
        "definitions.import_backend = local_filesystem\n"
        "definitions.local.path = definitions.json\n"
        "definitions.skip_if_unchanged = true\n"
        "definitions.hashing.algorithm = sha256\n"
        "default_queue_type = quorum\n"
        "connection_max = 10\n"
        "channel_max_per_node = infinity\n"
        "consumer_max_per_channel = 3\n"
        "default_consumer_prefetch = 250\n"
        "cluster_queue_limit = 1000\n"
        "cluster_exchange_limit = 100\n"
        "vhost_max = 5\n"
    )
    config = load_config(config_file=path, environment={})
    assert [text for text in config.warnings if "listens on localhost only" not in text] == []
    assert config.load_definitions == tmp_path / "definitions.json"
    assert config.definitions_skip_if_unchanged
    assert config.default_queue_type == "quorum"
    assert (config.connection_max, config.channel_max_per_node) == (10, None)
    assert (config.consumer_max_per_channel, config.default_consumer_prefetch) == (3, 250)
    assert (config.cluster_queue_limit, config.cluster_exchange_limit, config.vhost_max) == (1000, 100, 5)
    for key in ("load_definitions", "management.load_definitions"):
        path.write_text(f"{key} = /etc/definitions.json\n")
        assert load_config(config_file=path, environment={}).load_definitions == Path("/etc/definitions.json")
    path.write_text("connection_max = -1\n")
    with pytest.raises(ConfigError, match="connection_max = '-1': must be a whole number from 0 to"):
        load_config(config_file=path, environment={})
