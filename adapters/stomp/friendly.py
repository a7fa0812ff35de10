"""For people at a keyboard: help, and hints in ERROR frames.

A session is friendly when somebody typed HELP in it, or, with `stomp.friendly = true`, when it looks typed: its first
frame is a CONNECT without accept-version, all of whose lines end with CR LF, as telnet sends them.  In a friendly
session the parser takes commands in any case, frames without a body end with the empty line, and a body ends with a
lone "." (or, as always, with Ctrl-@).  What comes back is STOMP, but for the text of HELP.
"""

from __future__ import annotations

from typing import Final

HELP_TEXT: Final = """\
This is Warren, and it speaks STOMP: type a command, then headers as name:value, then an empty line.
The message of SEND follows that line; end it with a line that holds a "." and nothing else.

  CONNECT      log in               login, passcode, host        without headers: guest
  SEND         send a message       destination                  receipt, persistent:true, reply-to, ...
  SUBSCRIBE    receive messages     destination, id              ack:client, prefetch-count, durable:true, ...
  UNSUBSCRIBE  stop that            id
  ACK, NACK    settle a message     id                           the ack header of the MESSAGE (before 1.2: message-id)
  BEGIN        open a transaction   transaction                  then give SEND, ACK and NACK this header, too
  COMMIT       do all of it         transaction
  ABORT        do none of it        transaction
  DISCONNECT   leave                                             receipt

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

EXAMPLES: Final = {
    "CONNECT": "login:guest, passcode:guest, host:/, then an empty line",
    "STOMP": "login:guest, passcode:guest, host:/, then an empty line",
    "SEND": "destination:/queue/greetings, an empty line, the message, and a lone '.'",
    "SUBSCRIBE": "destination:/queue/greetings, id:1, then an empty line",
    "UNSUBSCRIBE": "id:1, then an empty line",
    "ACK": "id: and the value of ack in the MESSAGE, then an empty line",
    "NACK": "id: and the value of ack in the MESSAGE, then an empty line",
    "BEGIN": "transaction:1, then an empty line",
    "COMMIT": "transaction:1, then an empty line",
    "ABORT": "transaction:1, then an empty line",
}
"""What a frame looks like, in words."""


def help_text() -> bytes:
    """What HELP answers; lines as a terminal likes them."""
    return HELP_TEXT.replace("\n", "\r\n").encode()


def hint(command: str, connected: bool) -> str:
    """A line for the body of an ERROR frame: how what was meant could be written."""
    if not connected and command not in ("CONNECT", "STOMP"):
        return "Hint: type CONNECT and an empty line first; HELP lists the commands"
    example = EXAMPLES.get(command)
    if example is None:
        return "Hint: HELP lists the commands"
    return f"Hint: {command}, {example}; HELP lists the commands"
