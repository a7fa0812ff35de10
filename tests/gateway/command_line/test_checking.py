"""`warren check`: what is wrong with a file before a broker uses it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.support.certificates import TestAuthority
from tests.support.warren_process import REPOSITORY
from warren.gateway.command_line.checking import Finding, Grade, run, shown

EXPORTED = REPOSITORY / "tests" / "core" / "administration" / "definitions_json" / "data" / "rabbitmq-3.10.8.json"


def checked(path: Path, content: str | None = None, *, strict: bool = False) -> tuple[int, str]:
    """Exit code, and what is printed."""
    if content is not None:
        path.write_text(content)
    out = io.StringIO()
    return run([str(path)], strict=strict, out=out), out.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("heartbeat_z = 3", "unknown key heartbeat_z; did you mean heartbeat_s"),
        ("heartbeat_s = 'soon'", "heartbeat_s = 'soon': must be"),
        ("heartbeat_s = ", "not valid TOML"),
        ('listen = ["amqps=*:5671"]', "needs a certificate: set tls_certificate_file"),
        ('listen = ["amqps=*:5671"]\ntls_certificate_file = "none.pem"', "none.pem"),
        ('default_queue_type = "fast"', "default_queue_type"),
        ('plugins = ["shovle"]', "shovle"),
        ('load_definitions = "no.json"', "no.json: can't be read"),
        ('data_directory = "warren.toml/data"', "is no directory"),
    ],
)
def test_a_mistake_in_warren_toml(tmp_path: Path, content: str, said: str) -> None:
    code, printed = checked(tmp_path / "warren.toml", content + "\n")
    assert code == 78
    assert printed.startswith("error: ")
    assert said in printed
    assert "would start" not in printed


def test_one_that_is_right(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    files = authority.issue("server", "localhost")
    file = tmp_path / "warren.toml"
    code, printed = checked(
        file,
        f'listen = ["amqps=*:5671"]\ntls_certificate_file = "{files.certificate}"\ntls_key_file = "{files.key}"\n'
        f'data_directory = "{tmp_path / "new" / "data"}"\n',
    )
    assert (code, printed) == (0, f"ok: {file}: a broker would start with it\n")
    assert not (tmp_path / "new").exists(), "nothing is made"


def test_who_can_get_in_from_elsewhere(tmp_path: Path) -> None:
    code, printed = checked(tmp_path / "warren.toml", 'listen = ["mqtt=*:1883"]\nloopback_users = []\n')
    assert code == 0
    security, note, _ = printed.splitlines()
    assert security.startswith("security: user 'guest' has the password that everybody knows, and mqtt=*:1883")
    assert note == "note: mqtt=*:1883: passwords and messages cross the network without TLS there"
    _, safe = checked(tmp_path / "warren.toml", 'loopback_users = []\ndefault_pass = "another"\n')
    assert "security" not in safe


def test_a_rabbitmq_conf_as_it_is(tmp_path: Path) -> None:
    code, printed = checked(
        tmp_path / "rabbitmq.conf",
        "haertbeat = 5\nheartbeat = 20\nvm_memory_calculation_strategy = rss\n"
        "auth_ldap.servers.1 = ldap.example.org\nmirroring_sync_batch_size = 4096\n",
    )
    assert code == 0
    lines = printed.splitlines()
    assert [line.partition(":")[0] for line in lines] == sorted(
        (line.partition(":")[0] for line in lines), key=["error", "security", "warning", "note", "ok"].index
    )
    assert any("auth_ldap.servers.1" in line and line.startswith("security: ") for line in lines)
    assert any("did you mean heartbeat" in line and line.startswith("warning: ") for line in lines)
    assert any("vm_memory_calculation_strategy" in line and line.startswith("note: ") for line in lines)
    assert not any("conf: heartbeat" in line for line in lines), "it counts"
    strict, _ = checked(tmp_path / "rabbitmq.conf", strict=True)
    assert strict == 78


def test_definitions(tmp_path: Path) -> None:
    code, printed = checked(EXPORTED)
    assert code == 0
    assert f"ok: {EXPORTED}: Imported " in printed
    code, printed = checked(tmp_path / "bad.json", '{"queues": [{"name": "q", "vhost": "nowhere"}]}')
    assert code == 78
    assert printed.startswith(f"error: {tmp_path / 'bad.json'}: ")
    code, printed = checked(tmp_path / "none.json", json.dumps({"vhosts": [{"name": "/"}]}))
    assert code == 0
    assert "there is no user in it" in printed


def test_a_directory_of_definitions(tmp_path: Path) -> None:
    assert checked(tmp_path) == (78, f"error: {tmp_path}: there is no *.json file in this directory\n")
    (tmp_path / "one.json").write_text('{"users": [')
    assert checked(tmp_path)[0] == 78


def test_colours_are_for_terminals() -> None:
    finding = Finding(Grade.SECURITY, "somebody may get in")
    assert shown(finding, coloured=True) == "\x1b[31msecurity\x1b[0m: somebody may get in"
    assert shown(finding, coloured=False) == "security: somebody may get in"
