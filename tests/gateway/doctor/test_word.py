"""`warren ctl doctor` itself: how it prints, and what its exit codes are."""

from __future__ import annotations

import json

import pytest

from tests.gateway.control.control_target import Asker
from tests.gateway.doctor.examined import Examined, publish
from warren.core.declaring.queues import create_queue
from warren.gateway.command_line import main


@pytest.fixture
async def asker() -> Asker:
    asker = Asker()
    asker.server.broker.users.delete_user("guest")
    asker.server.broker.end_turn()
    return asker


async def test_nothing_is_wrong(asker: Asker) -> None:
    answer = await asker.ask("doctor", watch="0")
    assert (answer["ok"], answer["exit_code"]) == (True, 0)
    assert str(answer["text"]).startswith("nothing found; looked at listeners: 2, ")


async def test_a_notice_is_no_failure_unless_it_is_asked_for(asker: Asker) -> None:
    create_queue(asker.server.broker.vhosts["/"], "passing")
    answer = await asker.ask("doctor", watch="0")
    assert (answer["ok"], answer["exit_code"]) == (True, 0)
    assert "NOTICE: Queues for everybody that aren't durable (transient-queue)\n  - queue 'passing' in '/':" in str(
        answer["text"]
    )
    assert (await asker.ask("doctor", watch="0", strict=True))["exit_code"] == 1
    assert (await asker.ask("doctor", watch="0", strict=True, vhost="other"))["exit_code"] == 0


async def test_what_is_wrong(asker: Asker) -> None:
    create_queue(
        asker.server.broker.vhosts["/"], "orders", durable=True, arguments={"x-dead-letter-exchange": "\x1b[2J"}
    )
    answer = await asker.ask("doctor", watch="0")
    assert answer["exit_code"] == 1
    assert "\\x1b[2J" in str(answer["text"])
    assert "\x1b" not in str(answer["text"])
    assert str(answer["text"]).splitlines()[-1].startswith("1 warning; looked at ")


async def test_more_than_is_shown(asker: Asker) -> None:
    for number in range(30):
        create_queue(asker.server.broker.vhosts["/"], f"q{number}")
    answer = await asker.ask("doctor", watch="0")
    assert "  and 25 more\n" in str(answer["text"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"watch": "31"}, "--watch is from 0 to 30 seconds"),
        ({"watch": "soon"}, "not 'soon'"),
        ({"patience": "-1"}, "--patience is from 0 to 86400 seconds"),
        ({"patience": "nan"}, "--patience is from"),
    ],
)
async def test_options_that_can_t_be(asker: Asker, options: dict[str, object], says: str) -> None:
    code, text = await asker.refused("doctor", **options)
    assert (code, says in text) == (64, True)


async def test_an_unknown_virtual_host(asker: Asker) -> None:
    assert (await asker.refused("doctor", vhost="none", watch="0"))[0] == 65


def test_as_a_command(examined: Examined, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["doctor", "--data-dir", str(examined.broker.data_directory), "-p", examined.vhost]
    quick = [*words, "--watch", "0", "--patience", "0"]
    assert main.run(quick) == 0
    assert "nothing found" in capsys.readouterr().out
    with examined.channel() as channel:
        channel.queue_declare("forgotten", durable=True)
        publish(channel, "forgotten", 1)
    assert main.run(quick) == 1
    assert "WARNING: Queues with messages that nobody reads (unread-queue)" in capsys.readouterr().out
    assert main.run([*quick, "--formatter", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["healthy"], [each["code"] for each in found["findings"]]) == (False, ["unread-queue"])
    assert main.run([*words, "--watch", "0"]) == 0
    capsys.readouterr()
