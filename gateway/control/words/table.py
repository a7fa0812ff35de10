"""The words of `warren ctl`: arguments, options and help of each, known to both the client and the broker.

The words, their arguments and the lines that announce them are rabbitmqctl's (spec F.8), so that scripts and
habits carry over.  `usage` is both the help and the rule: NAME must be there, [NAME] may be, a last `...`
takes any number.
"""

from __future__ import annotations

from collections.abc import Mapping

from warren.gateway.control.word import VHOST, Option, Syntax
from warren.gateway.control.words.policy_words import POLICY_WORDS

__all__ = ["VHOST", "WORDS", "Syntax", "find_word"]

_IN_VHOST = (VHOST,)

_WORDS = (
    Syntax(
        "list_queues",
        "[COLUMN]...",
        "queues of a virtual host",
        "Listing queues for vhost {vhost} ...",
        _IN_VHOST,
    ),
    Syntax(
        "list_exchanges",
        "[COLUMN]...",
        "exchanges of a virtual host",
        "Listing exchanges for vhost {vhost} ...",
        _IN_VHOST,
    ),
    Syntax(
        "list_bindings",
        "[COLUMN]...",
        "bindings of a virtual host",
        "Listing bindings for vhost {vhost}...",
        _IN_VHOST,
    ),
    Syntax(
        "list_consumers",
        "[COLUMN]...",
        "consumers of a virtual host",
        "Listing consumers in vhost {vhost} ...",
        _IN_VHOST,
    ),
    Syntax("list_connections", "[COLUMN]...", "connections", "Listing connections ..."),
    Syntax("list_channels", "[COLUMN]...", "channels", "Listing channels ..."),
    Syntax("list_vhosts", "[COLUMN]...", "virtual hosts", "Listing vhosts ..."),
    Syntax("list_users", "", "users and their tags", "Listing users ..."),
    Syntax(
        "list_permissions",
        "",
        "permissions in a virtual host",
        'Listing permissions for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "list_user_permissions",
        "USER",
        "permissions of a user in every virtual host",
        'Listing permissions for user "{0}" ...',
    ),
    Syntax(
        "list_topic_permissions",
        "",
        "topic permissions in a virtual host",
        'Listing topic permissions for vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "list_user_topic_permissions",
        "USER",
        "topic permissions of a user in every virtual host",
        'Listing topic permissions for user "{0}" ...',
    ),
    Syntax("add_user", "USER [PASSWORD]", "add a user", 'Adding user "{0}" ...', secret=1),
    Syntax("delete_user", "USER", "delete a user and its permissions", 'Deleting user "{0}" ...'),
    Syntax(
        "change_password",
        "USER [PASSWORD]",
        "give a user another password",
        'Changing password for user "{0}" ...',
        secret=1,
    ),
    Syntax(
        "clear_password",
        "USER",
        "forbid a user to log in with a password",
        'Clearing password for user "{0}" ...',
    ),
    Syntax(
        "authenticate_user",
        "USER [PASSWORD]",
        "try a user's password",
        'Authenticating user "{0}" ...',
        secret=1,
    ),
    Syntax(
        "set_user_tags",
        "USER [TAG]...",
        "replace a user's tags: administrator, monitoring, ...",
        'Setting tags for user "{0}" ...',
    ),
    Syntax(
        "set_permissions",
        "USER CONFIGURE WRITE READ",
        "let a user into a virtual host, with expressions for the names of queues and exchanges",
        'Setting permissions for user "{0}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "clear_permissions",
        "USER",
        "shut a user out of a virtual host",
        'Clearing permissions for user "{0}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "set_topic_permissions",
        "USER EXCHANGE WRITE READ",
        "narrow the routing keys a user may use with a topic exchange",
        'Setting topic permissions on "{1}" for user "{0}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "clear_topic_permissions",
        "USER [EXCHANGE]",
        "lift that again, for one exchange or all of them",
        'Clearing topic permissions for user "{0}" in vhost "{vhost}" ...',
        _IN_VHOST,
    ),
    Syntax(
        "add_vhost",
        "VHOST",
        "add a virtual host",
        'Adding vhost "{0}" ...',
        (
            Option("description"),
            Option("tags"),
            Option("default_queue_type"),
        ),
    ),
    Syntax("delete_vhost", "VHOST", "delete a virtual host and all that is in it", 'Deleting vhost "{0}" ...'),
    Syntax(
        "delete_queue",
        "QUEUE",
        "delete a queue",
        "Deleting queue '{0}' on vhost '{vhost}' ...",
        (
            VHOST,
            Option("if_empty"),
            Option("if_unused"),
        ),
    ),
    Syntax(
        "purge_queue",
        "QUEUE",
        "drop the messages of a queue that wait for a consumer",
        "Purging queue '{0}' in vhost '{vhost}' ...",
        _IN_VHOST,
    ),
    Syntax(
        "browse_queue",
        "QUEUE [START] [COUNT] [FILTER]...",
        "messages of a queue that wait for a consumer, 10 from the first on unless told otherwise; they stay there",
        "Browsing queue '{0}' in vhost '{vhost}' ...",
        _IN_VHOST,
    ),
    Syntax(
        "list_delayed_messages",
        "EXCHANGE [COUNT]",
        "the messages that an x-delayed-message exchange holds, those due first (100 unless told otherwise)",
        "Listing delayed messages of exchange '{0}' in vhost '{vhost}' ...",
        _IN_VHOST,
    ),
    Syntax(
        "cancel_delayed_message",
        "EXCHANGE ID [ID]...",
        "drop messages that an x-delayed-message exchange holds",
        "Cancelling delayed messages of exchange '{0}' in vhost '{vhost}' ...",
        _IN_VHOST,
    ),
    Syntax(
        "close_connection",
        "PID_OR_NAME [REASON]...",
        "close one connection (320 CONNECTION_FORCED)",
        "Closing connection {0} ...",
    ),
    Syntax(
        "close_all_connections",
        "[REASON]...",
        "close every connection, or those to a virtual host",
        "Closing connections ...",
        _IN_VHOST,
    ),
    Syntax(
        "status",
        "",
        "version, listeners, memory, alarms and totals",
        "Status of the Warren broker on {directory} ...",
    ),
    Syntax("environment", "", "the configuration in effect", "Configuration of the broker on {directory} ..."),
    Syntax("ping", "", "succeed if the broker answers"),
    Syntax(
        "stop_app",
        "",
        "close listeners and connections; the process stays",
        "Stopping the broker application on {directory} ...",
    ),
    Syntax(
        "start_app",
        "",
        "open them again",
        "Starting the broker application on {directory} ...",
    ),
    Syntax(
        "reset",
        "",
        "wipe all data, users and virtual hosts (only after stop_app)",
        "Resetting the broker on {directory} ...",
    ),
    Syntax("stop", "", "stop the broker and end its process", "Stopping the broker on {directory} ..."),
    *POLICY_WORDS,
)

WORDS: Mapping[str, Syntax] = {word.name: word for word in _WORDS}
"""Every word by its name, in the order of the help."""


def find_word(name: str) -> Syntax:
    """The word of this name; ValueError suggests near ones."""
    if name in WORDS:
        return WORDS[name]
    import difflib

    near = difflib.get_close_matches(name.replace("-", "_").lower(), WORDS, n=3, cutoff=0.6)
    advice = f"did you mean {' or '.join(near)}?" if near else "warren ctl --help lists them all"
    raise ValueError(f"unknown command '{name}'; {advice}")
