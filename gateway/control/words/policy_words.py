"""The words of `warren ctl` on policies, parameters, limits, definitions, and what virtual hosts are described by."""

from __future__ import annotations

from warren.gateway.control.word import VHOST, Option, Syntax

_IN_VHOST = (VHOST,)

_POLICY_OPTIONS = (
    VHOST,
    Option("priority"),
    Option("apply_to"),
)

POLICY_WORDS = (
    Syntax(
        "set_policy",
        "NAME PATTERN DEFINITION",
        "give settings, a JSON object, to the queues and exchanges whose names match a regular expression",
        'Setting policy "{0}" for pattern "{1}" to "{2}" with priority "{priority}" for vhost "{vhost}" ...',
        _POLICY_OPTIONS,
    ),
    Syntax("clear_policy", "NAME", "remove a policy", 'Clearing policy "{0}" on vhost "{vhost}" ...', _IN_VHOST),
    Syntax("list_policies", "", "policies of a virtual host", 'Listing policies for vhost "{vhost}" ...', _IN_VHOST),
    Syntax(
        "set_operator_policy",
        "NAME PATTERN DEFINITION",
        "bound what policies and declarations may ask for",
        'Setting operator policy override "{0}" for pattern "{1}" to "{2}" with priority "{priority}" '
        'for vhost "{vhost}" ...',
        _POLICY_OPTIONS,
    ),
    Syntax(
        "clear_operator_policy",
        "NAME",
        "remove an operator policy",
        'Clearing operator policy "{0}" on vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "list_operator_policies",
        "",
        "operator policies of a virtual host",
        'Listing operator policy overrides for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "set_parameter",
        "COMPONENT NAME VALUE",
        "set a runtime parameter of a plugin, a JSON value",
        'Setting runtime parameter "{1}" for component "{0}" to "{2}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "clear_parameter",
        "COMPONENT NAME",
        "remove a runtime parameter",
        'Clearing runtime parameter "{1}" for component "{0}" on vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "list_parameters",
        "",
        "runtime parameters of a virtual host",
        'Listing runtime parameters for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "set_global_parameter",
        "NAME VALUE",
        "set a runtime parameter of the whole broker, a JSON value",
        'Setting global runtime parameter "{0}" to "{1}" ...',
    ),
    Syntax(
        "clear_global_parameter",
        "NAME",
        "remove a global runtime parameter",
        'Clearing global runtime parameter "{0}" ...',
    ),
    Syntax("list_global_parameters", "", "global runtime parameters", "Listing global runtime parameters ..."),
    Syntax(
        "set_vhost_limits",
        "DEFINITION",
        'limit a virtual host: {"max-connections": 100, "max-queues": 1000}; -1 is no limit',
        'Setting vhost limits to "{0}" for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax("clear_vhost_limits", "", "lift its limits", 'Clearing vhost "{vhost}" limits ...', _IN_VHOST),
    Syntax(
        "list_vhost_limits",
        "",
        "limits of a virtual host, or with --global of all",
        "",
        (
            VHOST,
            Option("global"),
        ),
    ),
    Syntax(
        "set_user_limits",
        "USER DEFINITION",
        'limit a user: {"max-connections": 10, "max-channels": 100}; -1 is no limit',
        'Setting user limits to "{1}" for user "{0}" ...',
    ),
    Syntax(
        "clear_user_limits",
        "USER LIMIT",
        "lift one limit of a user, or all",
        'Clearing "{1}" limit for user "{0}" ...',
    ),
    Syntax(
        "list_user_limits",
        "",
        "limits of all users, or of one",
        "",
        (
            Option("user"),
            Option("global"),
        ),
    ),
    Syntax(
        "update_vhost_metadata",
        "VHOST",
        "change what a virtual host is described by",
        'Updating metadata of vhost "{0}" ...',
        (
            Option("description"),
            Option("tags"),
            Option("default_queue_type"),
        ),
    ),
    Syntax(
        "trace_on",
        "",
        "copy all publishes and deliveries of a virtual host to amq.rabbitmq.trace",
        'Starting tracing for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax("trace_off", "", "stop that", 'Stopping tracing for vhost "{vhost}" ...', _IN_VHOST),
    Syntax(
        "export_definitions",
        "FILE",
        "write users, virtual hosts, queues... as JSON; -p: of one virtual host; -: to standard output",
        'Exporting definitions in JSON to a file at "{0}" ...',
        (
            VHOST,
            Option("format"),
        ),
        writes_file=True,
    ),
    Syntax(
        "import_definitions",
        "[FILE]",
        "read such a file, also RabbitMQ's: all of it or nothing; without FILE, or -, from standard input",
        "Importing definitions in JSON ...",
        (
            VHOST,
            Option("format"),
        ),
        reads_file=True,
    ),
)
