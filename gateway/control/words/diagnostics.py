"""Words of rabbitmq-diagnostics that check something: scripts and containers look at their exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, table, value
from warren.gateway.control.word import Remote, word

CONNECT_TIMEOUT_S: Final = 5.0
"""For each port that is tried."""

ANY_HOST: Final = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}
"""Where an address that stands for all is tried."""


@word("", "succeed if the broker is running", while_stopped=True, remote=Remote.MANAGEMENT)
def check_running(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 69 while the application is stopped."""
    if not control.server.running:
        raise RefusedError("the broker application is stopped; start it with: warren ctl start_app", codes.UNAVAILABLE)
    return done("The broker is fully booted and running")


@word("", "whether the broker is running", while_stopped=True, remote=Remote.MANAGEMENT)
def is_running(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    running = control.server.running
    text = "The broker is fully booted and running" if running else "The broker application is stopped"
    return value({"result": running, "message": text}, text)


@word("", "alarms that are raised", remote=Remote.MANAGEMENT)
def alarms(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    from warren.gateway.facts import node_name

    node, raised = node_name(), control.broker.alarms.raised()
    found = [{"node": node, "resource": each} for each in raised]
    text = "\n".join(raised) or f"Node {node} reported no alarms, local or clusterwide"
    return value({"alarms": found, "node": node, "result": "ok"}, text)


@word("", "succeed if no alarm is raised", remote=Remote.MANAGEMENT)
def check_alarms(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 while there is one."""
    return _no_alarms(control)


@word("", "succeed if no alarm is raised, of this broker, which is the only one", remote=Remote.MANAGEMENT)
def check_local_alarms(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 while there is one."""
    return _no_alarms(control)


@word("", "the version of RabbitMQ that clients are told", while_stopped=True, remote=Remote.MANAGEMENT)
def server_version(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does, since scripts compare it; `status` has Warren's own."""
    return value({"result": "ok", "value": control.product_version}, control.product_version)


@word("", "where the broker listens, and for what", remote=Remote.MONITORING)
def listeners(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does."""
    from warren.gateway.facts import node_name
    from warren.gateway.listening import listeners

    node = node_name()
    found = [
        {"node": node, "interface": each.host, "port": each.port, "protocol": each.protocol, "purpose": each.purpose}
        for each in listeners(control.server.listening)
    ]
    lines = [
        f"Interface: {each['interface']}, port: {each['port']}, protocol: {each['protocol']}, "
        f"purpose: {each['purpose']}"
        for each in found
    ]
    return value({"listeners": found, "node": node, "result": "ok"}, "\n".join(lines))


@word("PORT", "succeed if something listens on this port", remote=Remote.MANAGEMENT, example="5672")
def check_port_listener(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 while nothing does."""
    from warren.gateway.listening import listeners

    (text,) = request.arguments
    ports = sorted({each.port for each in listeners(control.server.listening)})
    if not (text.isascii() and text.isdigit()):
        raise RefusedError(f"'{text}' is no port: give a number", codes.DATA)
    if int(text) not in ports:
        raise RefusedError(f"nothing listens on port {text}; {_of(ports)}", codes.SOFTWARE)
    return done(f"A listener for port {text} is running")


@word(
    "PROTOCOL[,...]",
    "succeed if something listens for these protocols, such as amqp, mqtt/ssl or stomp",
    remote=Remote.MANAGEMENT,
    example="amqp,mqtt/ssl",
)
def check_protocol_listener(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 while nothing does."""
    from warren.gateway.listening import listeners, missing_protocols

    asked = [each.strip() for each in request.arguments[0].split(",") if each.strip()]
    there = list(listeners(control.server.listening))
    missing = missing_protocols(there, asked)
    if missing or not asked:
        known = sorted({each.protocol for each in there})
        raise RefusedError(f"nothing listens for {', '.join(missing) or 'no protocol'}; {_of(known)}", codes.SOFTWARE)
    return done(f"A listener for {', '.join(asked)} is running")


@word("", "succeed if all ports that the broker listens on can be reached from here", remote=Remote.MONITORING)
async def check_port_connectivity(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 while one can't be reached.  It connects to each, and says nothing there."""
    import trio

    from warren.gateway.listening import listeners

    shut, there = [], []
    for each in listeners(control.server.listening):
        host = ANY_HOST.get(each.host, each.host)
        try:
            with trio.fail_after(CONNECT_TIMEOUT_S):
                stream = await trio.open_tcp_stream(host, each.port)
            await stream.aclose()
            there.append({"interface": each.host, "port": each.port, "protocol": each.protocol})
        except (OSError, trio.TooSlowError) as error:
            shut.append(f"{each.protocol} on {host}:{each.port} ({error or 'it takes too long'})")
    if shut:
        raise RefusedError(f"can't be reached: {', '.join(shut)}", codes.SOFTWARE)
    return value({"result": "ok", "listeners": there}, "All ports can be reached")


@word("", "succeed if all virtual hosts are served, and nothing of them was found damaged", remote=Remote.MANAGEMENT)
def check_virtual_hosts(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does; 70 while something is damaged."""
    damage = control.broker.damage()
    if damage:
        raise RefusedError("; ".join(damage), codes.SOFTWARE)
    return done("All virtual hosts are running")


@word("", "how large the messages are that clients have published", remote=Remote.MONITORING)
def message_size_stats(control: Control, request: Request) -> Answer:
    """As rabbitmq-diagnostics does: how many are in each range of sizes, of all protocols."""
    from warren.core.message_sizes import BOUNDS_BYTES

    counts = [sum(column) for column in zip(*(each.buckets for _, each in control.broker.message_sizes), strict=True)]
    total = sum(counts)
    rows = []
    least = 0
    for bound, count in zip((*BOUNDS_BYTES, None), counts or [0] * (len(BOUNDS_BYTES) + 1), strict=True):
        size = f"{least}-{bound}" if bound is not None else f"{least} or more"
        rows.append({"bytes": size, "messages": count, "percent": round(100 * count / total, 2) if total else 0.0})
        least = (bound or 0) + 1
    return table(("bytes", "messages", "percent"), rows)


def _of(there: Sequence[object]) -> str:
    return f"there are {', '.join(map(str, there))}" if there else "it listens nowhere"


def _no_alarms(control: Control) -> Answer:
    raised = control.broker.alarms.raised()
    if raised:
        raise RefusedError(f"alarms are raised: {', '.join(raised)}", codes.SOFTWARE)
    return done("There are no alarms")
