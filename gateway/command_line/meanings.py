"""What stands for what in a usage line: arguments and options of words, for the help, the man page and completion.

A meaning is a sentence; where there are certain values only, they are listed, and a shell can complete them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from warren.gateway.command_line.output import FORMATTERS
from warren.gateway.process.settings import LOG_LEVELS


class Meaning(NamedTuple):
    """about: what it is.  values: all that it may be; empty where that can't be listed.  is_file: a file's name."""

    about: str
    values: tuple[str, ...] = ()
    is_file: bool = False


UNITS: Final = ("bytes", "kb", "mb", "gb")
PERIODS: Final = ("days", "weeks", "months", "years")

ARGUMENTS: Final[Mapping[str, Meaning]] = {
    "ACL_FILE": Meaning("Mosquitto's file of rights", is_file=True),
    "CLIENT_ID": Meaning("what an MQTT client calls itself; see list_mqtt_sessions"),
    "COLUMN": Meaning("what to show, several apart or with commas; see below"),
    "COMPONENT": Meaning("which plugin a parameter is for: shovel, federation, federation-upstream"),
    "CONFIGURE": Meaning("regular expression for names that may be declared and deleted; '' is none, '.*' all"),
    "CONNECTION": Meaning("a connection's name, PEER:PORT -> HOST:PORT; see list_connections"),
    "COUNT": Meaning("how many"),
    "DEFINITION": Meaning("a JSON object, in quotes of the shell"),
    "DESTINATION_QUEUE": Meaning("the queue that messages go to"),
    "DIRECTORY": Meaning("a directory that isn't there yet, or is empty, with its whole path", is_file=True),
    "EXCHANGE": Meaning("an exchange's name; '' is the default one"),
    "FILE": Meaning("a file; - is standard input or output", is_file=True),
    "FILTER": Meaning("which messages, such as routing_key=orders.#, or which topics, such as devices/+/state"),
    "FLAG": Meaning("a feature flag's name, or all"),
    "FRACTION": Meaning("a multiple of the machine's memory, such as 0.4"),
    "FRACTION|absolute": Meaning("a fraction of the machine's memory, such as 0.4; or the word absolute, and a size"),
    "HOSTNAME": Meaning("the name of a machine"),
    "ID": Meaning("a number from the listing"),
    "KEY": Meaning("a routing key"),
    "LEVEL": Meaning("from which importance on", LOG_LEVELS),
    "LIMIT": Meaning(
        "which limit",
        (
            "max-connections",
            "max-channels",
            "max-message-rate",
            "max-byte-rate",
            "max-message-rate-per-connection",
            "max-byte-rate-per-connection",
            "all",
        ),
    ),
    "NAME": Meaning("how it is called"),
    "NODE": Meaning("a node of the cluster, by its name"),
    "NUMBER": Meaning("a number from list_quarantined"),
    "PASSWORD": Meaning("asked for when it is left out, so that it needn't stand in the shell's history"),
    "PASSWORD_FILE": Meaning("Mosquitto's file of users", is_file=True),
    "PATTERN": Meaning("a regular expression for names of queues and exchanges"),
    "PAYLOAD": Meaning("the message's text"),
    "PID_FILE": Meaning("a file that holds the id of the broker's process", is_file=True),
    "PID_OR_NAME": Meaning("a connection's name or pid; see list_connections"),
    "PLUGIN": Meaning("a plugin's name; see list_plugins"),
    "PORT": Meaning("a TCP port"),
    "POSITION": Meaning("1 for the message that is next"),
    "PROTOCOL[,": Meaning("names of protocols with commas, such as amqp,mqtt/ssl"),
    "QUEUE": Meaning("a queue's name"),
    "QUEUE|TOPIC|EXCHANGE": Meaning("what to look at; --as says which of them a name is, where it could be several"),
    "READ": Meaning("regular expression for names that may be consumed from; for topics: for routing keys"),
    "REASON": Meaning("told to the client"),
    "SIZE": Meaning("bytes, or such as 500MB or 2GiB"),
    "SIZE|mem_relative": Meaning("bytes, or such as 2GB; or the word mem_relative, and a multiple of the memory"),
    "START": Meaning("1 for the message that is next"),
    "STREAM": Meaning("a stream's name"),
    "SUPER_STREAM": Meaning("the name of all its partitions together"),
    "TAG": Meaning("administrator, monitoring, policymaker, management, or any word; for virtual hosts any word"),
    "TOPIC": Meaning("a topic of MQTT, such as devices/meter-17/state"),
    "TYPE": Meaning("a queue type, or all", ("classic", "quorum", "stream", "all")),
    "USER": Meaning("a user's name"),
    "USERNAME": Meaning("a user's name"),
    "VALUE": Meaning("a JSON value, in quotes of the shell"),
    "VHOST": Meaning("a virtual host's name"),
    "WRITE": Meaning("regular expression for names that may be published to; for topics: for routing keys"),
}
"""By what usage lines call it."""

OPTIONS: Final[Mapping[str, Meaning]] = {
    "vhost": Meaning("virtual host (default: /)"),
    "data_dir": Meaning("data directory of the broker (default: as for warren serve)", is_file=True),
    "config": Meaning("configuration file that names it", is_file=True),
    "url": Meaning("ask over HTTP instead: http://USER:PASSWORD@HOST:15672, as the plugin management answers"),
    "quiet": Meaning("print only the result"),
    "silent": Meaning("print only the result, without column headers"),
    "no_table_headers": Meaning("print tables without column headers"),
    "formatter": Meaning("how to print", FORMATTERS),
    "timeout": Meaning("seconds to wait for an answer (default: 60; 0: for ever)"),
    "node": Meaning("ignored; for scripts written for rabbitmqctl"),
    "longnames": Meaning("ignored; for scripts written for rabbitmqctl"),
    "help": Meaning("the usage"),
    "across_all_vhosts": Meaning("in all virtual hosts"),
    "address_family": Meaning("which addresses", ("IPv4", "IPv6")),
    "all": Meaning("all there are"),
    "apply_to": Meaning("to what", ("all", "queues", "classic_queues", "quorum_queues", "streams", "exchanges")),
    "as": Meaning("what the name is", ("queue", "exchange", "topic")),
    "binding_keys": Meaning("routing keys of the partitions, one for each"),
    "by_source": Meaning("by the name that was given, and where from"),
    "configure": Meaning("regular expression for names that the user may declare and delete; without it none"),
    "count": Meaning("how many, and no more"),
    "default_queue_type": Meaning("of queues that are declared without a type", ("classic", "quorum", "stream")),
    "description": Meaning("a text for people"),
    "exchange": Meaning("where to publish the messages to"),
    "experimental": Meaning("ignored"),
    "force": Meaning("although nobody would be an administrator any more"),
    "format": Meaning("how the file is written", ("json",)),
    "from": Meaning("from where on a stream is shown: first, last, next, a number, timestamp=SECONDS or an age"),
    "global": Meaning("of all"),
    "header": Meaning("a header of the message; may be repeated"),
    "if_empty": Meaning("only if no message is in it"),
    "if_unused": Meaning("only if nobody consumes from it"),
    "initial_cluster_size": Meaning("ignored: there is one node"),
    "interval": Meaning("seconds between two looks"),
    "leader_locator": Meaning("ignored: there is one node"),
    "local": Meaning("those of this broker: all of them"),
    "max_age": Meaning("how long messages stay, such as P7D or PT12H"),
    "max_length_bytes": Meaning("how large each partition may become"),
    "mqtt_topic": Meaning("as if an MQTT client had published to this topic"),
    "no_wait": Meaning("return before the process has ended"),
    "object_type": Meaning("what the name is", ("queue", "exchange")),
    "offset": Meaning("readers' offsets alone"),
    "offline": Meaning("only those that can't be used"),
    "online": Meaning("only those that can be used"),
    "opt_in": Meaning("ignored"),
    "partitions": Meaning("how many"),
    "patience": Meaning("what has been so for fewer seconds isn't told (default: 600)"),
    "pattern": Meaning("only queues whose names match this regular expression"),
    "pid": Meaning("the id of the broker's process"),
    "priority": Meaning("which policy counts where several match: the one with the highest number"),
    "property": Meaning("a property of the message, such as priority=5; may be repeated"),
    "qos": Meaning("the quality of service", ("0", "1", "2")),
    "queue_pattern": Meaning("only queues whose names match"),
    "queue_timeout": Meaning("ignored"),
    "routing_keys": Meaning("the same as --binding-keys"),
    "stream_max_segment_size_bytes": Meaning("how large a file of a partition may become"),
    "read": Meaning("regular expression for names that the user may consume from; without it none"),
    "reference": Meaning("the name of a reader, or of a group"),
    "routing_key": Meaning("what to publish the messages with"),
    "search": Meaning("only topics that hold this text"),
    "skip_if_unchanged": Meaning("not, if that is what was imported last"),
    "sort": Meaning("what comes first", ("in", "out", "ready", "name")),
    "stream": Meaning("the stream's name"),
    "strict": Meaning("fail for notices, too"),
    "tags": Meaning("words with commas"),
    "topics": Meaning("a topic filter of MQTT that the device may use; it can be given several times"),
    "token": Meaning("of a tail that was cut off"),
    "unacknowledged": Meaning("messages that somebody has and hasn't acknowledged, too"),
    "unit": Meaning("of the numbers", (*UNITS, *PERIODS)),
    "used": Meaning("only those that are used"),
    "user": Meaning("a user's name"),
    "vhost_pattern": Meaning("only in virtual hosts whose names match"),
    "watch": Meaning("go on for so many seconds"),
    "write": Meaning("regular expression for names that the user may publish to; without it none"),
    "writer": Meaning("publishers' last ids alone"),
    "within": Meaning("how many"),
    "only_down": Meaning("only links that aren't running"),
}
"""By their names, with underscores."""


def metavars(usage: str) -> list[str]:
    """The arguments of a usage line, as ARGUMENTS calls them."""
    return [each.strip("[].") if "," not in each else each.partition(",")[0] + "," for each in usage.split()]
