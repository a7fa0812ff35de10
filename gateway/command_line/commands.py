"""The commands of `warren` and their options, as typer takes them from the command line.

Longer than 400 lines because it is one list.
"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="warren",
    help="Warren, a message broker.  Every command of ctl can also be given directly: warren list_queues",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

tls = typer.Typer(
    name="tls",
    help="Certificates.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(tls)

importing = typer.Typer(
    name="import",
    help="Take over what is in another broker.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(importing)

users = typer.Typer(
    name="user",
    help="Users of a running broker.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(users)


store = typer.Typer(
    name="store",
    help="Data directories: look for damage, repair, back up.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(store)


cluster = typer.Typer(
    name="cluster",
    help="Clusters.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cluster)


@app.command()
def serve(
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", metavar="DIR", help="Directory of everything that is kept.")
    ] = None,
    in_memory: Annotated[bool, typer.Option("--in-memory", help="Keep nothing.")] = False,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            "--listen",
            metavar="PROTOCOL=HOST:PORT",
            help="Have this protocol here, and all others where they are; repeatable; port 0 is any; mqtt=none is "
            "without MQTT.  amqps is AMQP over TLS, and so on; auto is everything on one port.",
        ),
    ] = None,
    listen_only: Annotated[
        list[str] | None,
        typer.Option(
            "--listen-only",
            metavar="PROTOCOL=HOST:PORT",
            help="Listen here, and nowhere else; repeatable.",
        ),
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="warren.toml or rabbitmq.conf to read.")
    ] = None,
    ready_file: Annotated[
        str | None,
        typer.Option("--ready-file", metavar="FILE", help="Gets the addresses, as JSON, once ready."),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning, error, critical, none."),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            "--log-format", metavar="text|json", help="text for people, or json for programs, an object a line."
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="ADDRESSES", help="Be a node of the cluster on these NATS servers: nats://a,b,c."
        ),
    ] = None,
    node_name: Annotated[
        str | None, typer.Option("--node-name", metavar="NAME", help="This node's name in its cluster.")
    ] = None,
    cluster_import: Annotated[
        bool,
        typer.Option("--cluster-import", help="Give the cluster what this node has, and it lacks, when it joins."),
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any key of the configuration; repeatable."),
    ] = None,
) -> None:
    """Run a broker until Ctrl-C or SIGTERM."""
    from warren.gateway.command_line import serve as cli_serve

    cli_serve.run_with(
        data_dir=data_dir,
        in_memory=in_memory,
        listen=listen,
        listen_only=listen_only,
        config=config,
        ready_file=ready_file,
        log_level=log_level,
        log_format=log_format,
        cluster=cluster,
        node_name=node_name,
        cluster_import=cluster_import,
        settings=settings,
    )


@app.command(
    context_settings={"help_option_names": [], "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def ctl(words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND [ARGUMENTS]...")] = None) -> None:
    """Look into a running broker, and administer it (warren ctl --help lists the commands)."""
    # Which options there are is the commands' business, so they are not parsed here.
    from warren.gateway.command_line import ctl as cli_ctl

    raise typer.Exit(cli_ctl.run(words or ()))


@app.command(
    context_settings={"help_option_names": [], "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def plugins(words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND [ARGUMENTS]...")] = None) -> None:
    """List plugins, and say how to enable them (warren plugins --help)."""
    from warren.gateway.command_line import plugins as cli_plugins

    raise typer.Exit(cli_plugins.run(words or ()))


@users.callback()
def _of_users() -> None:
    """Users of a running broker."""


@users.command("add")
def user_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the user logs in as.")],
    vhost: Annotated[
        str | None, typer.Option("--vhost", "-p", metavar="VHOST", help="The virtual host that it is for (default: /).")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            metavar="application|publisher|consumer|monitoring|administrator",
            help="What the user is for (default: application, who may do everything in the virtual host).",
        ),
    ] = None,
    configure: Annotated[
        str | None,
        typer.Option("--configure", metavar="PATTERN", help="Names that may be declared and deleted, instead."),
    ] = None,
    write: Annotated[
        str | None, typer.Option("--write", metavar="PATTERN", help="Names that may be published to, instead.")
    ] = None,
    read: Annotated[
        str | None, typer.Option("--read", metavar="PATTERN", help="Names that may be consumed from, instead.")
    ] = None,
    tags: Annotated[str | None, typer.Option("--tags", metavar="TAGS", help="Words with commas, instead.")] = None,
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", metavar="DIR", help="Data directory of the broker.")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Configuration file that names it.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The broker's management API, instead.")
    ] = None,
) -> None:
    """Add a user; asks for the password and for what isn't said.

    Where nobody sits at a terminal, the password is the first line of the input.
    """
    from warren.gateway.command_line import user as cli_user

    cli_user.run(
        cli_user.Wanted(
            name=name,
            vhost=vhost,
            role=role,
            configure=configure,
            write=write,
            read=read,
            tags=tags,
            data_dir=data_dir,
            config=config,
            url=url,
        )
    )


@tls.callback()
def _of_tls() -> None:
    """Certificates."""


@tls.command("dev")
def tls_dev(
    directory: Annotated[
        str, typer.Option("--directory", metavar="DIR", help="Where the files go; an authority in there is kept.")
    ] = "warren-tls",
    names: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="One more name or address of the broker; repeatable."),
    ] = None,
    user: Annotated[
        str, typer.Option("--user", metavar="NAME", help="The user that the client certificate is for.")
    ] = "guest",
) -> None:
    """Make an authority and certificates to develop with, or renew them, and say how to use them."""
    from warren.gateway.command_line import tls as cli_tls

    cli_tls.run(directory, names or (), user)


@cluster.callback()
def _of_clusters() -> None:
    """Clusters."""


@cluster.command("dev")
def cluster_dev(
    directory: Annotated[
        str, typer.Option("--directory", metavar="DIR", help="Where all is kept; what is in there is there again.")
    ] = "warren-cluster",
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="PORT", help="AMQP's of the first node; the others have the next ones.  0: any."
        ),
    ] = 0,
) -> None:
    """Run three NATS servers and three nodes on this machine, until Ctrl-C, and say how to connect."""
    from warren.gateway.command_line import cluster_dev as cli_cluster_dev

    cli_cluster_dev.run(directory, port)


@store.callback()
def _of_store() -> None:
    """Data directories: look for damage, repair, back up."""


@store.command("check")
def store_check(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A data directory that no broker uses.")],
) -> None:
    """Read everything in a data directory, and say what is damaged; nothing is changed.  Exit code 1 for damage."""
    from warren.gateway.command_line import store as cli_store

    raise typer.Exit(cli_store.check(directory))


@store.command("repair")
def store_repair(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A damaged data directory, which stays as it is.")],
    target: Annotated[str, typer.Argument(metavar="NEWDIR", help="The sound one: it isn't there yet, or is empty.")],
) -> None:
    """Make a sound data directory of all that can be read in a damaged one.  Exit code 1 if something was damaged."""
    from warren.gateway.command_line import store as cli_store

    raise typer.Exit(cli_store.repair(directory, target))


@store.command("backup")
def store_backup(
    target: Annotated[str, typer.Argument(metavar="NEWDIR", help="It isn't there yet, or is empty.")],
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", metavar="DIR", help="Data directory of the running broker.")
    ] = None,
) -> None:
    """Copy the store of a running broker, as it is at this moment; a broker can be started on the copy."""
    from warren.gateway.command_line import store as cli_store

    raise typer.Exit(cli_store.backup(target, data_dir))


@importing.callback()
def _of_import() -> None:
    """Take over what is in another broker."""


@importing.command("rabbitmq")
def import_rabbitmq(
    url: Annotated[str, typer.Argument(metavar="URL", help="Of its management API: http://USER:PASSWORD@HOST:15672.")],
    amqp: Annotated[
        str | None,
        typer.Option(
            "--amqp",
            metavar="URI",
            help="Where its messages are fetched, without a virtual host (default: port 5672 of the same host).",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="URL", help="The management API of the Warren that gets it all, instead."),
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", metavar="DIR", help="Data directory of the Warren that gets it all.")
    ] = None,
    vhosts: Annotated[
        list[str] | None, typer.Option("--vhost", metavar="VHOST", help="Only this one; repeatable.")
    ] = None,
    no_messages: Annotated[bool, typer.Option("--no-messages", help="Take over definitions alone.")] = False,
    at_a_time: Annotated[
        int, typer.Option("--at-a-time", metavar="NUMBER", help="Queues that are emptied at a time.")
    ] = 16,
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="SECONDS", help="Stop when nothing has moved for so long."),
    ] = 60.0,
) -> None:
    """Copy definitions of a running RabbitMQ, and move the messages of its queues here; it may be given again."""
    from warren.gateway.command_line import import_rabbitmq as cli_import

    cli_import.run(
        cli_import.Wanted(
            source=url,
            amqp=amqp,
            to=to,
            data_dir=data_dir,
            vhosts=tuple(vhosts or ()),
            with_messages=not no_messages,
            at_a_time=at_a_time,
            timeout_s=timeout,
        )
    )


@app.command("install-shims")
def install_shims(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="Where the programs go; it is made if it isn't there.")
    ],
) -> None:
    """Make programs named rabbitmqctl, rabbitmq-diagnostics and so on, for scripts that call those."""
    from pathlib import Path

    from warren.gateway.command_line import shims

    shims.install(Path(directory))


@app.command()
def init(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What to write.")] = "warren.toml",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a configuration file with every key in it, commented out, and what it is for."""
    from pathlib import Path

    from warren.gateway.command_line import starting_file

    starting_file.write(Path(file), force=force)
    print(f"{file} says what every key is for; `warren serve` reads it where it is started from, or with --config")


@app.command()
def check(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE...",
            help="warren.toml, rabbitmq.conf, or definitions (*.json); without one what warren serve would read.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings, too.")] = False,
) -> None:
    """Say what is wrong with a configuration or definitions, and what of a rabbitmq.conf doesn't count."""
    from warren.gateway.command_line import checking

    raise typer.Exit(checking.run(files or (), strict=strict))


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="Which shell.")],
) -> None:
    """Print what makes a shell complete commands, words and options: eval "$(warren completion bash)"."""
    from warren.gateway.command_line.completion import SHELLS

    if shell not in SHELLS:
        raise typer.BadParameter(f"there is none for '{shell}', only for {', '.join(SHELLS)}")
    print(SHELLS[shell](), end="")


@app.command()
def man() -> None:
    """Print the man page, for `man -l`."""
    from warren.gateway.command_line import manual

    print(manual.manual(), end="")


@app.command()
def version() -> None:
    """Print the version."""
    import platform

    from warren.gateway.version import WARREN_VERSION, form_and_reason

    print(f"Warren {WARREN_VERSION} (Python {platform.python_version()}, {form_and_reason()})")
