"""`warren user add`: what a person types at a terminal, and what scripts give it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ctl import ctl
from tests.support.terminal import terminal
from tests.support.warren_process import PYTHON_PATH, WarrenProcess, warren_process
from warren.gateway.command_line import main
from warren.gateway.command_line.user import ATTEMPTS_MAX, ROLES, Adding, Wanted
from warren.gateway.control.client import CommandFailedError

PROGRAM = ["env", f"PYTHONPATH={PYTHON_PATH}", sys.executable, "-m", "warren", "user", "add"]

END = "$ ended $"


@pytest.fixture(scope="module")
def broker() -> Iterator[WarrenProcess]:
    with warren_process() as running:
        ctl(running.data_directory, "add_vhost", "shop")
        yield running


def rows(broker: WarrenProcess, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ctl(broker.data_directory, "--formatter", "json", *words))
    return found


def rights(broker: WarrenProcess, name: str) -> list[tuple[object, ...]]:
    """(virtual host, configure, write, read) of a user."""
    return [
        (each["vhost"], each["configure"], each["write"], each["read"])
        for each in rows(broker, "list_user_permissions", name)
    ]


def tags(broker: WarrenProcess, name: str) -> object:
    return next((each["tags"] for each in rows(broker, "list_users") if each["user"] == name), None)


def may_log_in(broker: WarrenProcess, name: str, password: str) -> bool:
    return ctl(broker.data_directory, "-q", "authenticate_user", name, password) == "Success\n"


def command(broker: WarrenProcess, *words: str) -> list[str]:
    return [*PROGRAM, *words, "--data-dir", str(broker.data_directory)]


def in_a_shell(broker: WarrenProcess, *words: str) -> list[str]:
    """The command, whose end and exit code can be seen."""
    return ["sh", "-c", '"$@"; echo "$? $0"; read end', END, *command(broker, *words)]


def given(broker: WarrenProcess, *words: str, text: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) where the input is no terminal."""
    done = subprocess.run(command(broker, *words), input=text, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_a_person_is_asked_for_what_is_needed(broker: WarrenProcess) -> None:
    with terminal(in_a_shell(broker, "ada")) as person:
        person.wait_for("Password: ")
        person.type("seecret\n")
        person.wait_for("The same once more: ")
        person.type("secret\n")
        person.wait_for("These were not the same.")
        for question in ("Password: ", "The same once more: "):
            person.wait_for(question)
            person.type("secret\n")
        person.wait_for("What may ada do?")
        for role in ROLES:
            person.wait_for(role)
        person.wait_for("warren ctl add_device NAME")
        person.wait_for("Number or name [1]: ")
        person.type("7\n")
        person.wait_for("'7' is none of them.")
        person.wait_for("Number or name [1]: ")
        person.type("consumer\n")
        person.wait_for("In which virtual host [/]: ")
        person.type("shopp\n")
        person.wait_for("There is no virtual host 'shopp', there is /, shop; ")
        person.wait_for("In which virtual host [/]: ")
        person.type("shop\n")
        person.wait_for(
            "Added the user 'ada', who may log in from anywhere; in the virtual host 'shop' it may configure '', "
            "write '' and read .*"
        )
        person.wait_for(f"0 {END}")
        assert "secret" not in person.screen, "it is typed unseen"
    assert may_log_in(broker, "ada", "secret")
    assert (rights(broker, "ada"), tags(broker, "ada")) == ([("shop", "", "", ".*")], [])


def test_enter_alone_is_a_sensible_answer(broker: WarrenProcess) -> None:
    with terminal(in_a_shell(broker, "bob")) as person:
        for question in ("Password: ", "The same once more: "):
            person.wait_for(question)
            person.type("secret\n")
        for question in ("Number or name [1]: ", "In which virtual host [/]: "):
            person.wait_for(question)
            person.type("\n")
        person.wait_for(f"0 {END}")
    assert (rights(broker, "bob"), tags(broker, "bob")) == ([("/", ".*", ".*", ".*")], [])


def test_what_an_option_says_is_not_asked_for(broker: WarrenProcess) -> None:
    with terminal(in_a_shell(broker, "eve", "--role", "administrator", "-p", "shop")) as person:
        for question in ("Password: ", "The same once more: "):
            person.wait_for(question)
            person.type("secret\n")
        person.wait_for("its tags are administrator")
        person.wait_for(f"0 {END}")
        assert "What may" not in person.screen
        assert "In which" not in person.screen
    assert (rights(broker, "eve"), tags(broker, "eve")) == ([("shop", ".*", ".*", ".*")], ["administrator"])


@pytest.mark.parametrize(("key", "code"), [("\x04", 64), ("\x03", 130)])
def test_who_gives_up_has_added_nobody(broker: WarrenProcess, key: str, code: int) -> None:
    with terminal(["bash", "-c", 'trap : INT; "$@"; echo "$? $0"; read end', END, *command(broker, "carl")]) as person:
        person.wait_for("Password: ")
        person.type(key)
        person.wait_for(f"{code} {END}")
        assert "Traceback" not in person.screen
    assert tags(broker, "carl") is None


def test_a_script_gives_the_password_and_options(broker: WarrenProcess) -> None:
    said = given(broker, "s1", text="first line\nsecond line\n")
    assert said == (
        0,
        "Added the user 's1', who may log in from anywhere; in the virtual host '/' it may configure .*, write .* and "
        "read .*\n",
        "",
    )
    assert may_log_in(broker, "s1", "first line")
    assert given(broker, "s2", "--role", "monitoring", text="x\n")[1] == (
        "Added the user 's2', who may log in from anywhere; its tags are monitoring\n"
    )
    assert (rights(broker, "s2"), tags(broker, "s2")) == ([], ["monitoring"])
    assert given(broker, "s3", "--read", "^orders", "--vhost=shop", "--tags", "policymaker,x", text="x")[0] == 0
    assert (rights(broker, "s3"), tags(broker, "s3")) == ([("shop", "", "", "^orders")], ["policymaker", "x"])
    assert given(broker, "s4", "--role", "publisher", "--write", "^logs$", text="x\n")[0] == 0
    assert rights(broker, "s4") == [("/", "", "^logs$", "")]


@pytest.mark.parametrize(
    ("words", "text", "code", "told"),
    [
        (["guest"], "x\n", 65, "user 'guest' already exists; `warren ctl change_password guest` gives it another"),
        (["new"], "", 64, "a password is needed: give it as the first line of the input"),
        (["new", "--role", "king"], "x\n", 64, "there is no role 'king'; they are application, publisher, consumer,"),
        (
            ["new", "-p", "nowhere"],
            "x\n",
            65,
            "There is no virtual host 'nowhere', there is /, shop; `warren ctl",
        ),
        (["new", "--read", "("], "x\n", 70, "("),
        (["(broker)"], "x\n", 70, "is the broker's own; choose another one"),
        ([], "x\n", 64, "NAME"),
    ],
)
def test_nothing_is_done_that_cant_be(broker: WarrenProcess, words: list[str], text: str, code: int, told: str) -> None:
    before = rows(broker, "list_users")
    found, out, err = given(broker, *words, text=text)
    assert (found, out, told in err) == (code, "", True), err
    assert rows(broker, "list_users") == before


def test_no_broker_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said before anything is asked for."""
    assert main.run(["user", "add", "ada", "--data-dir", str(tmp_path)]) == 69
    out, err = capsys.readouterr()
    assert out == ""
    assert f"no Warren broker is running on {tmp_path}; start one with: warren serve --data-dir {tmp_path}\n" in err
    assert "One that was started with --in-memory alone can't be asked" in err


def test_nobody_is_asked_for_ever(broker: WarrenProcess) -> None:
    said: list[str] = []
    wanted = Wanted("new", data_dir=str(broker.data_directory))
    with pytest.raises(CommandFailedError, match="no user was added"):
        Adding(wanted, True, secret=lambda question: "", say=said.append).run()
    assert said == ["A password can't be blank."] * ATTEMPTS_MAX
    with pytest.raises(CommandFailedError, match="no user was added"):
        Adding(wanted, True, lambda question: "9", lambda question: "x", said.append).run()
    assert tags(broker, "new") is None
