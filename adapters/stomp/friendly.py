"""For people at a keyboard: help, and hints in ERROR frames.

A session is friendly when somebody has typed in it what no program sends: a word for help, a command in small letters,
or telnet's own bytes (codec/typed_words.py); or, with `stomp.friendly = true`, when it looks typed: its first frame is
a CONNECT without accept-version, all of whose lines end with CR LF, as telnet sends them.  In a friendly session the
parser takes commands in any case, frames without a body end with the empty line, a body ends with a lone "." (or, as
always, with Ctrl-@), and a header without a colon is asked for again.  What comes back is STOMP, but for the text of
HELP and such questions.

A program is never taken for a person: a command in small letters isn't done when it is what makes a session friendly,
and has to be typed again.
"""

from __future__ import annotations

from typing import Final

from warren.adapters.stomp.codec.escaping import V1_0, V1_2

_HELP: Final = """\
This is Warren, and it speaks STOMP: type a command, then headers as name:value, then an empty line.
The message of SEND follows that line; end it with a line that holds a "." and nothing else.

  CONNECT      log in               login, passcode, host        without headers: guest
  SEND         send a message       destination                  receipt, persistent:true, reply-to, ...
  SUBSCRIBE    receive messages     destination, id              ack:client, prefetch-count, durable:true, ...
  UNSUBSCRIBE  stop that            id
{settling}
  BEGIN        open a transaction   transaction                  then give SEND, ACK and NACK this header, too
  COMMIT       do all of it         transaction
  ABORT        do none of it        transaction
  DISCONNECT   leave                                             receipt; or type QUIT

Destinations: /queue/NAME  /topic/WORD.WORD (with * and # to subscribe)  /exchange/NAME/KEY  /amq/queue/NAME

For example:

  CONNECT
  (an empty line)
  SUBSCRIBE
  destination:/queue/greetings
  id:1
  (an empty line)
  SEND
  destination:/queue/greetings
  (an empty line)
  Good morning!
  .
"""

_SETTLING: Final = {
    V1_2: "  ACK, NACK    settle a message     id                           the value of ack in the MESSAGE",
    V1_0: "  ACK, NACK    settle a message     message-id                   as in the MESSAGE",
}
"""By version; 1.1 is as 1.0."""

EXAMPLES: Final = {
    "CONNECT": "login:guest, passcode:guest, host:/, then an empty line",
    "STOMP": "login:guest, passcode:guest, host:/, then an empty line",
    "SEND": "destination:/queue/greetings, an empty line, the message, and a lone '.'",
    "SUBSCRIBE": "destination:/queue/greetings, id:1, then an empty line",
    "UNSUBSCRIBE": "id:1, then an empty line",
    "ACK": "message-id: and its value in the MESSAGE, then an empty line",
    "NACK": "message-id: and its value in the MESSAGE, then an empty line",
    "BEGIN": "transaction:1, then an empty line",
    "COMMIT": "transaction:1, then an empty line",
    "ABORT": "transaction:1, then an empty line",
}
"""What a frame looks like, in words."""

EXAMPLES_1_2: Final = {
    "ACK": "id: and the value of ack in the MESSAGE, then an empty line",
    "NACK": "id: and the value of ack in the MESSAGE, then an empty line",
}
"""What is otherwise since STOMP 1.2."""

GOODBYE: Final = b"Goodbye.\r\n"


def help_text(version: str) -> str:
    """What HELP answers in a session of this version."""
    return _HELP.format(settling=_SETTLING.get(version, _SETTLING[V1_0]))


def on_the_terminal(text: str) -> bytes:
    """Text for people; lines as a terminal likes them."""
    return text.replace("\n", "\r\n").encode("utf-8", "backslashreplace")


def small_letters(line: str) -> str:
    """Somebody has begun with a command in small letters."""
    shown = line.strip()
    return (
        f"'{shown}' is in small letters, so you are no program: from now on that is fine, and other things are easier, "
        f"too.\nType {shown.upper()} once more, please.\n\n"
    )


def no_colon(line: str) -> str:
    """A header can't be understood; the frame that it belongs to is still open."""
    return (
        f"'{line}' is no header, and left out: write name:value, such as destination:/queue/greetings, "
        "or an empty line behind the last header\n"
    )


def hint(command: str, connected: bool, version: str) -> str:
    """A line for the body of an ERROR frame: how what was meant could be written."""
    if not connected and command not in ("CONNECT", "STOMP"):
        return "Hint: type CONNECT and an empty line first; HELP lists the commands"
    example = EXAMPLES_1_2.get(command) if version == V1_2 else None
    example = example or EXAMPLES.get(command)
    if example is None:
        return "Hint: HELP lists the commands"
    return f"Hint: {command}, {example}; HELP lists the commands"
