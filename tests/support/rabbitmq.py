"""Debian's RabbitMQ as a child process: the reference that Warren is compared and connected with.

The node is as private as a process can be: every directory (database, logs, configuration, HOME with its
Erlang cookie) lies in a temporary directory, every port is a free loopback port, and it has a port mapper
(epmd) of its own. RabbitMQ would otherwise start a shared epmd in the background that outlives it; ours runs
in the foreground as a child, is started first, and is ended by process id with the node.  The system's
configuration in /etc/rabbitmq isn't read.

`detached` is the start script's own word for "replace the shell by the Erlang VM", which makes the process id
that we start the VM's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.support import child
from tests.support.child import LOOPBACK
from tests.support.ports import free_ports
from tests.support.rabbitmq_ctl import RabbitmqCtl

START_TIMEOUT_S = 90.0
"""A node boots in 3 to 10 s; a busy machine may take several times as long."""

START_ATTEMPTS_MAX = 3
"""A free port may be taken before the node binds it: then everything is started again on new ports."""

LOOK_INTERVAL_S = 0.02
"""How often it is tried whether a node is ready, or gone: both take seconds, of a processor that it may need."""

STOP_GRACE_S = 60.0
"""An orderly stop of the Erlang VM takes one to three seconds."""

COOKIE = ".erlang.cookie"
"""In HOME."""

SCRIPT_DIRECTORIES = ("/usr/lib/rabbitmq/bin",)
"""Where packages keep the scripts proper.  On the PATH is a wrapper that insists on root or its own user."""

PLUGIN_LISTENERS: Mapping[str, tuple[str, str]] = {
    "rabbitmq_stomp": ("stomp", "stomp.listeners.tcp.1 = 127.0.0.1:{port}"),
    "rabbitmq_mqtt": ("mqtt", "mqtt.listeners.tcp.1 = 127.0.0.1:{port}"),
    "rabbitmq_stream": ("stream", "stream.listeners.tcp.1 = 127.0.0.1:{port}"),
    "rabbitmq_web_stomp": ("web_stomp", "web_stomp.tcp.ip = 127.0.0.1\nweb_stomp.tcp.port = {port}"),
    "rabbitmq_web_mqtt": ("web_mqtt", "web_mqtt.tcp.ip = 127.0.0.1\nweb_mqtt.tcp.port = {port}"),
    "rabbitmq_management": ("management", "management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}"),
    "rabbitmq_prometheus": ("prometheus", "prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {port}"),
}
"""Plugins that listen: the name their port gets, and the configuration that puts them on it.

The first three would open their default port beside the given one under any other listener name than the first.
"""


@dataclass(frozen=True, slots=True)
class RabbitMQ:
    """A running node.  `ports` has `amqp` and one entry per listening plugin (see PLUGIN_LISTENERS)."""

    process: child.Child
    ports: Mapping[str, int]
    directory: Path
    environment: Mapping[str, str]
    log: Path
    start_s: float
    """Seconds from starting the node's process to its first answer to an AMQP protocol header."""
    commands: RabbitmqCtl

    @property
    def amqp_port(self) -> int:
        """The loopback port of its AMQP listener."""
        return self.ports["amqp"]

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl ARGUMENTS` prints.  Raises child.ChildError with its output when it fails."""
        return self.commands.call(*arguments)


def rabbitmq_available() -> bool:
    """Whether a RabbitMQ server and Erlang's port mapper are installed here."""
    return _script_path("rabbitmq-server") is not None and shutil.which("epmd") is not None


def rabbitmq_version() -> str:
    """The installed server's version, or "unknown": it is part of the name of its directory."""
    path = _script_path("rabbitmq-server")
    found = re.search(r"rabbitmq_server-([\d.]+)", str(path.resolve())) if path else None
    return found.group(1) if found else "unknown"


@contextmanager
def rabbitmq(
    *,
    plugins: Sequence[str] = (),
    configuration: Sequence[str] = (),
    definitions: Mapping[str, object] | None = None,
    parent: Path | None = None,
    orderly_stop: bool = False,
    beside: RabbitMQ | None = None,
) -> Iterator[RabbitMQ]:
    """A running node in a temporary directory (below `parent`), ended and removed at the end.

    plugins: plugins to enable; those of PLUGIN_LISTENERS each get a free port.
    configuration: lines for rabbitmq.conf.
    definitions: users, vhosts, queues... loaded at boot.  A node with definitions doesn't create the user
    `guest`.
    orderly_stop: end with SIGTERM.  A node whose data is thrown away is killed by default, which is quicker.
    beside: the first node of a cluster, which this one joins; it ends after this one.
    Raises child.ChildError when it isn't installed or doesn't start.
    """
    with tempfile.TemporaryDirectory(prefix="rabbitmq-", dir=parent) as name:
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            directory = Path(name) / f"attempt-{attempt}"
            try:
                node, port_mapper = _start(directory, plugins, configuration, definitions, beside)
                break
            except child.ChildError as error:
                if attempt == START_ATTEMPTS_MAX or "eaddrinuse" not in str(error):
                    raise
        try:
            if beside is not None:
                node.ctl("stop_app")
                node.ctl("join_cluster", beside.environment["RABBITMQ_NODENAME"])
                node.ctl("start_app")
            yield node
        finally:
            node.commands.close()
            child.stop(node.process, STOP_GRACE_S if orderly_stop else 0)
            if port_mapper is not None:
                child.stop(port_mapper, 0)
            _wait_for_orphans(node)


def killed_and_started(node: RabbitMQ) -> RabbitMQ:
    """The node after kill -9 and another start, with the same data.  The caller stops its process."""
    child.stop(node.process, 0)
    _wait_for_orphans(node)
    process, start_s = _start_server(node.directory, node.environment, node.log, node.amqp_port)
    return replace(node, process=process, start_s=start_s)


def _start(
    directory: Path,
    plugins: Sequence[str],
    configuration: Sequence[str],
    definitions: Mapping[str, object] | None,
    beside: RabbitMQ | None,
) -> tuple[RabbitMQ, child.Child | None]:
    listening = [PLUGIN_LISTENERS[each] for each in plugins if each in PLUGIN_LISTENERS]
    amqp, distribution, port_mapper_port, *others = free_ports(3 + len(listening))
    lines = [line.format(port=port) for (_, line), port in zip(listening, others, strict=True)]
    ports = {"amqp": amqp, **{name: port for (name, _), port in zip(listening, others, strict=True)}}
    log = directory / "node.log"

    directory.mkdir()
    if definitions is not None:
        (directory / "definitions.json").write_text(json.dumps(definitions))
        lines.append(f"load_definitions = {directory / 'definitions.json'}")
    (directory / "rabbitmq.conf").write_text("\n".join([*lines, *configuration, ""]))
    (directory / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")

    port_mapper: child.Child | None = None
    if beside is None:
        environment = _environment(directory, amqp, distribution, port_mapper_port)
        port_mapper = _start_port_mapper(port_mapper_port, environment, directory)
    else:  # they find each other by one port mapper, and trust each other by one cookie
        environment = _environment(directory, amqp, distribution, int(beside.environment["ERL_EPMD_PORT"]))
        shutil.copy(beside.directory / COOKIE, directory / COOKIE)
    try:
        process, start_s = _start_server(directory, environment, log, amqp)
    except child.ChildError:
        if port_mapper is not None:
            child.stop(port_mapper, 0)
        raise
    try:
        for port in others:
            child.wait_until(partial(child.accepts, port), process, log, START_TIMEOUT_S, f"opening port {port}")
    except child.ChildError:
        child.stop(process, 0)
        if port_mapper is not None:
            child.stop(port_mapper, 0)
        raise
    commands = RabbitmqCtl(_script("rabbitmqctl").resolve().parents[1], environment, directory)
    return RabbitMQ(process, ports, directory, environment, log, start_s, commands), port_mapper


def _start_server(directory: Path, environment: Mapping[str, str], log: Path, port: int) -> tuple[child.Child, float]:
    """The node's process, once it answers, and how many seconds that took."""
    started_at = time.perf_counter()
    process = child.start([str(_script("rabbitmq-server"))], log, environment, directory)
    try:
        child.wait_until(
            lambda: child.amqp_answers(port), process, log, START_TIMEOUT_S, "starting RabbitMQ", LOOK_INTERVAL_S
        )
    except child.ChildError:
        child.stop(process, 0)
        raise
    return process, time.perf_counter() - started_at


def _start_port_mapper(port: int, environment: Mapping[str, str], directory: Path) -> child.Child:
    """Erlang's port mapper, in the foreground, as our own child."""
    log = directory / "epmd.log"
    program = shutil.which("epmd")
    if program is None:
        raise child.ChildError("epmd isn't installed (Debian: erlang-base)")
    process = child.start([program, "-address", LOOPBACK, "-port", str(port)], log, environment, directory)
    try:
        child.wait_until(lambda: child.accepts(port), process, log, START_TIMEOUT_S, "starting epmd")
    except child.ChildError:
        child.stop(process, 0)
        raise
    return process


def _environment(directory: Path, amqp: int, distribution: int, port_mapper: int) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {
        **inherited,
        "HOME": str(directory),
        "detached": "true",
        "ERL_EPMD_PORT": str(port_mapper),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_NODENAME": f"node-{amqp}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(amqp),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CTL_DIST_PORT_MIN": "0",
        "RABBITMQ_CTL_DIST_PORT_MAX": "0",
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
    }


def _script_path(name: str) -> Path | None:
    for directory in SCRIPT_DIRECTORIES:
        path = Path(directory) / name
        if path.exists():
            return path
    found = shutil.which(name)
    return Path(found) if found else None


def _script(name: str) -> Path:
    path = _script_path(name)
    if path is None:
        raise child.ChildError(f"{name} isn't installed (Debian: rabbitmq-server)")
    return path


def _wait_for_orphans(node: RabbitMQ) -> None:
    """Helpers of a killed VM end when their pipe to it closes; until then they may write to its directory."""
    give_up_at = time.monotonic() + STOP_GRACE_S
    while _orphans_in(node.directory) and time.monotonic() < give_up_at:
        time.sleep(LOOK_INTERVAL_S)


def _orphans_in(directory: Path) -> list[int]:
    """Processes that work in the directory and have lost their parent, as port mapper and command line haven't."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.readlink().is_relative_to(directory):
                state = (entry.parent / "stat").read_text().rpartition(")")[2]
                parents[int(entry.parent.name)] = int(state.split()[1])
        except OSError:
            continue
    return [process for process, parent in parents.items() if parent not in (os.getpid(), *parents)]
