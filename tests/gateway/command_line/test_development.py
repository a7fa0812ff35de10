"""`warren tls dev`: what it makes is what clients take, and what it prints works."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from tests.support.tls_broker import broker_without_leftovers
from tests.support.warren_process import PYTHON_PATH
from warren.gateway.command_line.development import LEAF_DAYS, make_certificates
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.load import load_config
from warren.gateway.configuration.sources import read_file
from warren.gateway.control.client import CommandFailedError
from warren.gateway.tls.certificate import Certificate, first_certificate

TIME_LIMIT_S = 60

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def warren_tls_dev(*options: str, directory: Path, python: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    command = [sys.executable, *python, "-m", "warren", "tls", "dev", *options]
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
    )
    return done.returncode, done.stdout, done.stderr


def certificate(path: Path) -> Certificate:
    return first_certificate(path.read_bytes())


def test_what_it_makes(tmp_path: Path) -> None:
    code, out, err = warren_tls_dev(
        "--directory", "made", "--name", "broker.example", "--name", "192.0.2.9", directory=tmp_path
    )
    assert (code, err) == (0, "")
    made = tmp_path / "made"
    assert sorted(path.name for path in made.iterdir()) == [
        "ca.key", "ca.pem", "client.key", "client.pem", "server.key", "server.pem",
    ]  # fmt: skip
    for name in ("ca", "server", "client"):
        assert (made / f"{name}.key").stat().st_mode & 0o777 == 0o600
    server = certificate(made / "server.pem")
    assert {"localhost", "broker.example"} <= set(server.names_of("dns"))
    assert {"127.0.0.1", "::1", "192.0.2.9"} <= set(server.names_of("ip"))
    assert server.not_after - server.not_before <= timedelta(days=LEAF_DAYS, hours=1)
    assert certificate(made / "ca.pem").not_after - datetime.now(UTC) > timedelta(days=3600)
    assert certificate(made / "client.pem").common_names == ("guest",)
    for purpose, name in (("sslserver", "server"), ("sslclient", "client")):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", f"{name}.pem"]
        done = subprocess.run(command, cwd=made, capture_output=True, timeout=TIME_LIMIT_S, check=False)
        assert done.returncode == 0, done.stderr
    assert str(made / "server.pem") in out


def test_again_keeps_the_authority_and_the_names(tmp_path: Path) -> None:
    first = make_certificates(tmp_path, ["broker.example"], "guest", NOW)
    before = {name: (tmp_path / name).read_bytes() for name in ("ca.pem", "ca.key", "server.pem", "client.pem")}
    again = make_certificates(tmp_path, ["other.example"], "device", NOW + timedelta(days=1))
    after = {name: (tmp_path / name).read_bytes() for name in before}
    assert (first.authority_kept, again.authority_kept) == (False, True)
    assert [name for name in before if after[name] != before[name]] == ["server.pem", "client.pem"]
    assert {"broker.example", "other.example"} <= set(certificate(tmp_path / "server.pem").names_of("dns"))
    assert certificate(tmp_path / "client.pem").common_names == ("device",)


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    make_certificates(tmp_path, [], "guest", NOW)
    authority = certificate(tmp_path / "ca.pem")
    made = make_certificates(tmp_path, [], "guest", authority.not_after - timedelta(days=10))
    assert made.expires == certificate(tmp_path / "server.pem").not_after == authority.not_after
    with pytest.raises(CommandFailedError, match="has expired; remove"):
        make_certificates(tmp_path, [], "guest", authority.not_after)


def test_an_authority_that_cannot_be_used_is_left_alone(tmp_path: Path) -> None:
    make_certificates(tmp_path, [], "guest", NOW)
    make_certificates(tmp_path / "other", [], "guest", NOW)
    before = (tmp_path / "ca.pem").read_bytes()
    for content in (b"rubbish", (tmp_path / "other" / "ca.key").read_bytes()):
        (tmp_path / "ca.key").write_bytes(content)
        with pytest.raises(CommandFailedError, match=r"remove .*ca.pem and .*ca.key to begin with a new"):
            make_certificates(tmp_path, [], "guest", NOW)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(CommandFailedError, match="can't be used"):
        make_certificates(tmp_path, [], "guest", NOW)
    assert (tmp_path / "ca.pem").read_bytes() == before


@pytest.mark.parametrize("name", ["", "two words", "a..b", "x" * 70])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandFailedError, match="must be a host name or an IP address"):
        make_certificates(tmp_path, [name], "guest", NOW)
    assert not (tmp_path / "server.pem").exists()


def test_names_of_other_scripts(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["münchen.example"], "guest", NOW)
    assert "xn--mnchen-3ya.example" in certificate(tmp_path / "server.pem").names_of("dns")


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, out, err = warren_tls_dev("--directory", "file/below", directory=tmp_path)
    assert (code, out) == (70, "")
    assert re.fullmatch(r"Error: .*file/below: .*\n", err)


def test_without_the_package_it_says_what_to_install(tmp_path: Path) -> None:
    # None in sys.modules is what makes an import fail, as if the package were not there.
    program = (
        "import sys; sys.modules['cryptography'] = None; sys.argv[1:] = ['tls', 'dev']\n"
        "from warren.gateway.command_line.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 70
    assert done.stderr == "Error: making certificates needs the package cryptography: pip install 'warren-mq[tls]'\n"
    assert list(tmp_path.iterdir()) == []


async def test_what_it_prints_works(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, out, _ = warren_tls_dev("--directory", "with space", directory=tmp_path)
    file = tmp_path / "warren.toml"
    file.write_text("\n".join(line.strip() for line in out.splitlines() if re.match(r"  tls_\w+ = ", line)))
    read_file(file, {})
    config: Config = load_config([], config_file=file, environment={"WARREN_IN_MEMORY": "true"}, directory=tmp_path)
    assert config.tls_verify == "optional"
    assert [str(listener) for listener in config.listeners if listener.tls] == [
        "amqps=localhost:5671",
        "stomps=localhost:61614",
        "mqtts=localhost:8883",
        "streams=localhost:5551",
        "wss=localhost:15673",
        "wss=localhost:15676",
        "https=localhost:15671?optional=true",
        "metricss=localhost:15691?optional=true",
    ]
    found = re.search(r"ssl\.create_default_context\(cafile=\"(.*)\"\)", out)
    assert found is not None
    context = ssl.create_default_context(cafile=found[1])
    made = tmp_path / "with space"
    context.load_cert_chain(made / "client.pem", made / "client.key")
    async with broker_without_leftovers(config, "stomps=localhost:0", log=caplog) as broker:
        stream = await trio.open_ssl_over_tcp_stream("localhost", broker.address("stomps")[1], ssl_context=context)
        await stream.send_all(b"CONNECT\n\n\0")
        assert (await stream.receive_some()).startswith(b"CONNECTED\n")
        (row,) = broker.inspect("connections")
        assert row["peer_cert_subject"] == "CN=guest,O=Warren development"
        await stream.aclose()
