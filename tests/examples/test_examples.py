"""Every example program runs as its docstring says, as a process of its own against a real broker."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.examples.programs import EXAMPLES, Programs, help_of

WAITING = "waiting for messages, Ctrl-C stops"


def test_hello_when_the_receiver_comes_second(programs: Programs) -> None:
    assert programs.run("hello/send", "good morning") == ["sent: good morning"]
    receiver = programs.start("hello/receive")
    receiver.wait_for("received: good morning")
    assert receiver.interrupt() == [WAITING, "received: good morning", "stopped"]


def test_hello_when_the_receiver_comes_first(programs: Programs) -> None:
    receiver = programs.start("hello/receive")
    receiver.wait_for(WAITING)
    programs.run("hello/send", "good morning")
    programs.run("hello/send", "good night")
    receiver.wait_for("received: good night")
    assert receiver.interrupt() == [WAITING, "received: good morning", "received: good night", "stopped"]


def test_hello_takes_the_url_as_an_argument(url: str, tmp_path: Path) -> None:
    nowhere = Programs("amqp://guest:guest@127.0.0.1:1", tmp_path)
    try:
        assert nowhere.run("hello/send", "--url", url) == ["sent: hello"]
    finally:
        nowhere.end()


ENDLESS = str(10**18)
"""A job that no worker finishes."""

SMALL_JOBS = {10: 4, 100: 25, 1000: 168}
"""Jobs, and how many primes there are below each."""


def test_work_queue(programs: Programs) -> None:
    assert programs.run("work_queue/submit", "1000") == ["submitted: 1000"]
    worker = programs.start("work_queue/worker")
    worker.wait_for("done: 168 primes below 1000")
    assert worker.interrupt() == [
        "waiting for jobs, Ctrl-C stops",
        "started: 1000",
        "done: 168 primes below 1000",
        "stopped",
    ]


def test_a_busy_worker_gets_no_more_jobs(programs: Programs) -> None:
    busy = programs.start("work_queue/worker")
    busy.wait_for("waiting for jobs, Ctrl-C stops")
    programs.run("work_queue/submit", ENDLESS)
    busy.wait_for(f"started: {ENDLESS}")

    programs.run("work_queue/submit", *map(str, SMALL_JOBS))
    free = programs.start("work_queue/worker")
    for job, count in SMALL_JOBS.items():
        free.wait_for(f"done: {count} primes below {job}")
    assert busy.lines() == ["waiting for jobs, Ctrl-C stops", f"started: {ENDLESS}"]


def test_the_job_of_a_worker_that_dies_goes_to_another(programs: Programs) -> None:
    programs.run("work_queue/submit", ENDLESS)
    dying = programs.start("work_queue/worker")
    dying.wait_for(f"started: {ENDLESS}")
    other = programs.start("work_queue/worker")
    other.wait_for("waiting for jobs, Ctrl-C stops")
    dying.kill()
    other.wait_for(f"started: {ENDLESS} (second attempt)")


def test_publish_subscribe(programs: Programs) -> None:
    programs.run("publish_subscribe/announce", "nobody hears this")
    listeners = [programs.start("publish_subscribe/listen") for _ in range(2)]
    for listener in listeners:
        listener.wait_for("listening, Ctrl-C stops")
    assert programs.run("publish_subscribe/announce", "lunch is ready") == ["announced: lunch is ready"]
    for listener in listeners:
        listener.wait_for("heard: lunch is ready")
        assert listener.interrupt() == ["listening, Ctrl-C stops", "heard: lunch is ready", "stopped"]


def test_routing(programs: Programs) -> None:
    north = programs.start("routing/deliver", "norway", "sweden")
    north.wait_for("delivering to norway, sweden, Ctrl-C stops")
    south = programs.start("routing/deliver", "italy")
    south.wait_for("delivering to italy, Ctrl-C stops")

    assert programs.run("routing/order", "norway", "three chairs") == ["ordered: three chairs to norway"]
    assert programs.run("routing/order", "spain", "a table") == ["nobody delivers to spain"]
    assert programs.run("routing/order", "italy", "a lamp") == ["ordered: a lamp to italy"]
    assert programs.run("routing/order", "sweden", "a bed") == ["ordered: a bed to sweden"]

    north.wait_for("to sweden: a bed")
    south.wait_for("to italy: a lamp")
    assert north.interrupt()[1:] == ["to norway: three chairs", "to sweden: a bed", "stopped"]
    assert south.interrupt()[1:] == ["to italy: a lamp", "stopped"]


def test_topics(programs: Programs) -> None:
    watcher = programs.start("topics/watch", "barn.*.temperature", "#.humidity")
    watcher.wait_for("watching barn.*.temperature, #.humidity, Ctrl-C stops")
    for topic in (
        "barn.loft.temperature",
        "house.loft.temperature",
        "barn.temperature",
        "humidity",
        "barn.loft.left.temperature",
    ):
        assert programs.run("topics/measure", topic, "21.5") == [f"{topic} is 21.5"]
    programs.run("topics/measure", "house.cellar.humidity", "0.6")
    watcher.wait_for("house.cellar.humidity: 0.6")
    assert watcher.interrupt()[1:] == [
        "barn.loft.temperature: 21.5",
        "humidity: 21.5",
        "house.cellar.humidity: 0.6",
        "stopped",
    ]


@pytest.mark.parametrize("variant", [(), ("--direct",)], ids=["own queue", "direct reply-to"])
def test_rpc(programs: Programs, variant: tuple[str, ...]) -> None:
    server = programs.start("rpc/serve")
    server.wait_for("waiting for requests, Ctrl-C stops")
    answers = programs.run("rpc/ask", *variant, "360", "97")
    assert answers == ["360 = 2 x 2 x 2 x 3 x 3 x 5", "97 = 97"]
    server.wait_for("answered: 97 = 97")
    assert len(server.interrupt()) == 4


@pytest.mark.parametrize("submitter", ["stomp_work_queue/submit", "work_queue/submit"])
def test_stomp_work_queue(programs: Programs, submitter: str) -> None:
    assert programs.run(submitter, "1000") == ["submitted: 1000"]
    worker = programs.start("stomp_work_queue/worker")
    worker.wait_for("done: 168 primes below 1000")
    assert worker.interrupt() == [
        "waiting for jobs, Ctrl-C stops",
        "started: 1000",
        "done: 168 primes below 1000",
        "stopped",
    ]


def test_the_job_of_a_stomp_worker_that_dies_goes_to_another(programs: Programs) -> None:
    programs.run("stomp_work_queue/submit", ENDLESS)
    dying = programs.start("stomp_work_queue/worker")
    dying.wait_for(f"started: {ENDLESS}")
    other = programs.start("work_queue/worker")
    other.wait_for("waiting for jobs, Ctrl-C stops")
    dying.kill()
    other.wait_for(f"started: {ENDLESS} (second attempt)")


def test_mqtt_device(programs: Programs) -> None:
    dashboard = programs.start("mqtt_device/dashboard")
    dashboard.wait_for("watching devices, Ctrl-C stops")
    reported = programs.run("mqtt_device/device", "boiler", "21.5", "22.0")
    assert reported == ["boiler is online", "reported: 21.5", "reported: 22.0"]
    dashboard.wait_for("boiler: state offline")
    assert dashboard.interrupt() == [
        "watching devices, Ctrl-C stops",
        "boiler: state online",
        "boiler: temperature 21.5",
        "boiler: temperature 22.0",
        "boiler: state offline",
        "stopped",
    ]
    late = programs.start("mqtt_device/dashboard")
    late.wait_for("boiler: temperature 22.0")
    late.wait_for("boiler: state offline")


def test_stomp_topics(programs: Programs) -> None:
    watcher = programs.start("stomp_topics/watch", "barn.*.temperature", "#.humidity")
    watcher.wait_for("watching barn.*.temperature, #.humidity, Ctrl-C stops")
    for topic in ("barn.loft.temperature", "house.loft.temperature", "cellar.humidity"):
        assert programs.run("stomp_topics/measure", topic, "21.5") == [f"{topic} is 21.5"]
    watcher.wait_for("cellar.humidity: 21.5")
    assert watcher.interrupt()[1:] == ["barn.loft.temperature: 21.5", "cellar.humidity: 21.5", "stopped"]


def test_rpc_without_a_server(programs: Programs) -> None:
    assert programs.run("rpc/ask", "--timeout", "0", "7") == ["7 = no answer"]


def test_embedded(programs: Programs, tmp_path: Path) -> None:
    assert programs.run("embedded/jobs") == [
        "3! = 6",
        "5! = 120",
        "20! = 2432902008176640000",
        "-1 has no factorial; given up after a second attempt",
        "all jobs are done",
    ]
    directory = str(tmp_path / "data")
    for _ in range(2):
        assert programs.run("embedded/jobs", "--data-dir", directory, "4") == ["4! = 24", "all jobs are done"]


PACKAGES = ("audit_plugin", "line_protocol")
"""A plugin and an adapter, which tests/gateway tries out."""

TESTED = ("retry_ladder",)
"""Examples that pytest runs."""

PATHS = sorted(path for path in EXAMPLES.rglob("*.py") if path.parent.name not in PACKAGES)
"""All programs."""


WITHOUT_URL = ("embedded",)
"""Those that bring their broker with them."""


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(EXAMPLES).as_posix())
def test_each_example_says_what_to_run_and_what_one_sees(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    if path.parent.name in TESTED:
        assert f"python -m pytest examples/{path.parent.name}" in text
        return
    name = path.relative_to(EXAMPLES.parent).as_posix()
    assert f"python {name}" in text
    assert "rint" in text
    if path.parent.name not in WITHOUT_URL:
        assert "--url" in help_of(path)


def test_the_overview_names_each_folder() -> None:
    overview = (EXAMPLES / "README.md").read_text()
    folders = sorted({path.parent.name for path in PATHS} | set(PACKAGES))
    assert len(folders) == 14
    assert [folder for folder in folders if f"[{folder}]({folder})" not in overview] == []
