"""The words of `warren ctl`: arguments, options and help of each, known to both the client and the broker.

The words, their arguments and the lines that announce them are rabbitmqctl's (spec F.8), so that scripts and
habits carry over.  `usage` is both the help and the rule: NAME must be there, [NAME] may be, a last `...`
takes any number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VHOST = "vhost"
"""The option -p/--vhost, which most words take."""


@dataclass(frozen=True, slots=True)
class Word:
    """One command.

    announcement: what is printed before the result, with {vhost}, {directory} and the arguments by number.
    options: those that not every word takes.
    secret: the place of a password among the arguments; when it is missing the client asks for it.
    reads_file, writes_file: the first argument is a file of the client, `-` its standard input or output: what is in it
    goes behind the request, or what the answer holds goes into it.
    """

    name: str
    usage: str
    about: str
    announcement: str = ""
    options: frozenset[str] = frozenset()
    secret: int | None = None
    reads_file: bool = False
    writes_file: bool = False

    def check(self, arguments: Sequence[str], options: Sequence[str]) -> None:
        """ValueError says what is wrong with the number of arguments or with an option, and what is right."""
        least, most = self._bounds()
        if not least <= len(arguments) <= most:
            raise ValueError(f"{'not enough' if len(arguments) < least else 'too many'} arguments; {self.line}")
        for option in options:
            if option not in self.options:
                raise ValueError(f"{self.name} doesn't take --{option.replace('_', '-')}; {self.line}")

    @property
    def line(self) -> str:
        """`usage: warren ctl NAME ARGUMENTS [options]`."""
        options = "".join(f" [--{option.replace('_', '-')}]" for option in sorted(self.options))
        return f"usage: warren ctl {self.name}{' ' if self.usage else ''}{self.usage}{options}"

    def _bounds(self) -> tuple[int, int]:
        names = self.usage.split()
        optional = sum(name.startswith("[") for name in names)
        most = 1000 if self.usage.endswith("...") else len(names)
        return len(names) - optional, most


_IN_VHOST = frozenset({VHOST})

_POLICY_OPTIONS = frozenset({VHOST, "priority", "apply_to"})

_POLICY_WORDS = (
    Word(
        "set_policy",
        "NAME PATTERN DEFINITION",
        "give settings, a JSON object, to the queues and exchanges whose names match a regular expression",
        'Setting policy "{0}" for pattern "{1}" to "{2}" with priority "{priority}" for vhost "{vhost}" ...',
        _POLICY_OPTIONS,
    ),
    Word("clear_policy", "NAME", "remove a policy", 'Clearing policy "{0}" on vhost "{vhost}" ...', _IN_VHOST),
    Word("list_policies", "", "policies of a virtual host", 'Listing policies for vhost "{vhost}" ...', _IN_VHOST),
    Word(
        "set_operator_policy",
        "NAME PATTERN DEFINITION",
        "bound what policies and declarations may ask for",
        'Setting operator policy override "{0}" for pattern "{1}" to "{2}" with priority "{priority}" '
        'for vhost "{vhost}" ...',
        _POLICY_OPTIONS,
    ),
    Word(
        "clear_operator_policy",
        "NAME",
        "remove an operator policy",
        'Clearing operator policy "{0}" on vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "list_operator_policies",
        "",
        "operator policies of a virtual host",
        'Listing operator policy overrides for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "set_parameter",
        "COMPONENT NAME VALUE",
        "set a runtime parameter of a plugin, a JSON value",
        'Setting runtime parameter "{1}" for component "{0}" to "{2}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "clear_parameter",
        "COMPONENT NAME",
        "remove a runtime parameter",
        'Clearing runtime parameter "{1}" for component "{0}" on vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "list_parameters",
        "",
        "runtime parameters of a virtual host",
        'Listing runtime parameters for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "set_global_parameter",
        "NAME VALUE",
        "set a runtime parameter of the whole broker, a JSON value",
        'Setting global runtime parameter "{0}" to "{1}" ...',
    ),
    Word(
        "clear_global_parameter",
        "NAME",
        "remove a global runtime parameter",
        'Clearing global runtime parameter "{0}" ...',
    ),
    Word("list_global_parameters", "", "global runtime parameters", "Listing global runtime parameters ..."),
    Word(
        "set_vhost_limits",
        "DEFINITION",
        'limit a virtual host: {"max-connections": 100, "max-queues": 1000}; -1 is no limit',
        'Setting vhost limits to "{0}" for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word("clear_vhost_limits", "", "lift its limits", 'Clearing vhost "{vhost}" limits ...', _IN_VHOST),
    Word(
        "list_vhost_limits",
        "",
        "limits of a virtual host, or with --global of all",
        "",
        frozenset({VHOST, "global"}),
    ),
    Word(
        "set_user_limits",
        "USER DEFINITION",
        'limit a user: {"max-connections": 10, "max-channels": 100}; -1 is no limit',
        'Setting user limits to "{1}" for user "{0}" ...',
    ),
    Word(
        "clear_user_limits",
        "USER LIMIT",
        "lift one limit of a user, or all",
        'Clearing "{1}" limit for user "{0}" ...',
    ),
    Word("list_user_limits", "", "limits of all users, or of one", "", frozenset({"user", "global"})),
    Word(
        "update_vhost_metadata",
        "VHOST",
        "change what a virtual host is described by",
        'Updating metadata of vhost "{0}" ...',
        frozenset({"description", "tags", "default_queue_type"}),
    ),
    Word(
        "trace_on",
        "",
        "copy all publishes and deliveries of a virtual host to amq.rabbitmq.trace",
        'Starting tracing for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word("trace_off", "", "stop that", 'Stopping tracing for vhost "{vhost}" ...', _IN_VHOST),
    Word(
        "export_definitions",
        "FILE",
        "write users, virtual hosts, queues... as JSON; -p: of one virtual host; -: to standard output",
        'Exporting definitions in JSON to a file at "{0}" ...',
        frozenset({VHOST, "format"}),
        writes_file=True,
    ),
    Word(
        "import_definitions",
        "[FILE]",
        "read such a file, also RabbitMQ's: all of it or nothing; without FILE, or -, from standard input",
        "Importing definitions in JSON ...",
        frozenset({VHOST, "format"}),
        reads_file=True,
    ),
)

_WORDS = (
    Word(
        "list_queues",
        "[COLUMN]...",
        "queues of a virtual host",
        "Listing queues for vhost {vhost} ...",
        _IN_VHOST,
    ),
    Word(
        "list_exchanges",
        "[COLUMN]...",
        "exchanges of a virtual host",
        "Listing exchanges for vhost {vhost} ...",
        _IN_VHOST,
    ),
    Word(
        "list_bindings",
        "[COLUMN]...",
        "bindings of a virtual host",
        "Listing bindings for vhost {vhost}...",
        _IN_VHOST,
    ),
    Word(
        "list_consumers",
        "[COLUMN]...",
        "consumers of a virtual host",
        "Listing consumers in vhost {vhost} ...",
        _IN_VHOST,
    ),
    Word("list_connections", "[COLUMN]...", "connections", "Listing connections ..."),
    Word("list_channels", "[COLUMN]...", "channels", "Listing channels ..."),
    Word("list_vhosts", "[COLUMN]...", "virtual hosts", "Listing vhosts ..."),
    Word("list_users", "", "users and their tags", "Listing users ..."),
    Word(
        "list_permissions",
        "",
        "permissions in a virtual host",
        'Listing permissions for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "list_user_permissions",
        "USER",
        "permissions of a user in every virtual host",
        'Listing permissions for user "{0}" ...',
    ),
    Word(
        "list_topic_permissions",
        "",
        "topic permissions in a virtual host",
        'Listing topic permissions for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "list_user_topic_permissions",
        "USER",
        "topic permissions of a user in every virtual host",
        'Listing topic permissions for user "{0}" ...',
    ),
    Word("add_user", "USER [PASSWORD]", "add a user", 'Adding user "{0}" ...', secret=1),
    Word("delete_user", "USER", "delete a user and its permissions", 'Deleting user "{0}" ...'),
    Word(
        "change_password",
        "USER [PASSWORD]",
        "give a user another password",
        'Changing password for user "{0}" ...',
        secret=1,
    ),
    Word(
        "clear_password",
        "USER",
        "forbid a user to log in with a password",
        'Clearing password for user "{0}" ...',
    ),
    Word(
        "authenticate_user",
        "USER [PASSWORD]",
        "try a user's password",
        'Authenticating user "{0}" ...',
        secret=1,
    ),
    Word(
        "set_user_tags",
        "USER [TAG]...",
        "replace a user's tags: administrator, monitoring, ...",
        'Setting tags for user "{0}" ...',
    ),
    Word(
        "set_permissions",
        "USER CONFIGURE WRITE READ",
        "let a user into a virtual host, with expressions for the names of queues and exchanges",
        'Setting permissions for user "{0}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "clear_permissions",
        "USER",
        "shut a user out of a virtual host",
        'Clearing permissions for user "{0}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "set_topic_permissions",
        "USER EXCHANGE WRITE READ",
        "narrow the routing keys a user may use with a topic exchange",
        'Setting topic permissions on "{1}" for user "{0}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "clear_topic_permissions",
        "USER [EXCHANGE]",
        "lift that again, for one exchange or all of them",
        'Clearing topic permissions for user "{0}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Word(
        "add_vhost",
        "VHOST",
        "add a virtual host",
        'Adding vhost "{0}" ...',
        frozenset({"description", "tags", "default_queue_type"}),
    ),
    Word("delete_vhost", "VHOST", "delete a virtual host and all that is in it", 'Deleting vhost "{0}" ...'),
    Word(
        "delete_queue",
        "QUEUE",
        "delete a queue",
        "Deleting queue '{0}' on vhost '{vhost}' ...",
        frozenset({VHOST, "if_empty", "if_unused"}),
    ),
    Word(
        "purge_queue",
        "QUEUE",
        "drop the messages of a queue that wait for a consumer",
        "Purging queue '{0}' in vhost '{vhost}' ...",
        _IN_VHOST,
    ),
    Word(
        "list_delayed_messages",
        "EXCHANGE [COUNT]",
        "the messages that an x-delayed-message exchange holds, those due first (100 unless told otherwise)",
        "Listing delayed messages of exchange '{0}' in vhost '{vhost}' ...",
        _IN_VHOST,
    ),
    Word(
        "cancel_delayed_message",
        "EXCHANGE ID [ID]...",
        "drop messages that an x-delayed-message exchange holds",
        "Cancelling delayed messages of exchange '{0}' in vhost '{vhost}' ...",
        _IN_VHOST,
    ),
    Word(
        "close_connection",
        "PID_OR_NAME [REASON]...",
        "close one connection (320 CONNECTION_FORCED)",
        "Closing connection {0} ...",
    ),
    Word(
        "close_all_connections",
        "[REASON]...",
        "close every connection, or those to a virtual host",
        "Closing connections ...",
        _IN_VHOST,
    ),
    Word(
        "status",
        "",
        "version, listeners, memory, alarms and totals",
        "Status of the Warren broker on {directory} ...",
    ),
    Word("environment", "", "the configuration in effect", "Configuration of the broker on {directory} ..."),
    Word("ping", "", "succeed if the broker answers"),
    Word(
        "stop_app",
        "",
        "close listeners and connections; the process stays",
        "Stopping the broker application on {directory} ...",
    ),
    Word(
        "start_app",
        "",
        "open them again",
        "Starting the broker application on {directory} ...",
    ),
    Word(
        "reset",
        "",
        "wipe all data, users and virtual hosts (only after stop_app)",
        "Resetting the broker on {directory} ...",
    ),
    Word("stop", "", "stop the broker and end its process", "Stopping the broker on {directory} ..."),
    *_POLICY_WORDS,
)

WORDS: Mapping[str, Word] = {word.name: word for word in _WORDS}
"""Every word by its name, in the order of the help."""


def find_word(name: str) -> Word:
    """The word of this name; ValueError suggests near ones."""
    if name in WORDS:
        return WORDS[name]
    import difflib

    near = difflib.get_close_matches(name.replace("-", "_").lower(), WORDS, n=3, cutoff=0.6)
    advice = f"did you mean {' or '.join(near)}?" if near else "warren ctl --help lists them all"
    raise ValueError(f"unknown command '{name}'; {advice}")
