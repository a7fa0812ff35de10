"""What is done about each command of a client that has opened a virtual host.

A handler is a function of the session and the command (codec/commands.py).  It writes its answer by `session.send`, or
by `session.ok` where that says no more than OK, and raises `Refused` (codec/errors.py) or an error of the broker for
what isn't done: the session answers with the code, if the command has a correlation id, and logs the sentence.  It may
raise `Unanswered` before it has changed anything, and is called again then.  To add one, write it in the module of its
subject and give it its line in `HANDLERS`; what the client says in answer to a question of the broker's goes to whoever
asked (`session.ask`).

Publish isn't here: frame_loop.py has it handled by publishing.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.stream import managing, opening, publishers, subscribing, super_streams, tracking
from warren.adapters.stream.codec import commands

if TYPE_CHECKING:
    from warren.adapters.stream.session import StreamSession

Handler = Callable[["StreamSession", Any], None]

FIRST: Final[dict[type[commands.Command], Handler]] = {
    commands.PeerProperties: opening.peer_properties,
    commands.SaslHandshake: opening.sasl_handshake,
    commands.SaslAuthenticate: opening.sasl_authenticate,
    commands.Tune: opening.tune,
    commands.TuneAnswer: opening.tune,
    commands.Open: opening.open_vhost,
}
"""Commands of a client that hasn't opened a virtual host yet."""

HANDLERS: Final[dict[type[commands.Command], Handler]] = {
    commands.PeerProperties: opening.peer_properties,
    commands.SaslHandshake: opening.sasl_handshake,
    commands.SaslAuthenticate: opening.renew_secret,
    commands.ExchangeCommandVersions: opening.exchange_command_versions,
    commands.DeclarePublisher: publishers.declare_publisher,
    commands.DeletePublisher: publishers.delete_publisher,
    commands.Subscribe: subscribing.subscribe,
    commands.Credit: subscribing.credit,
    commands.Unsubscribe: subscribing.unsubscribe,
    commands.Create: managing.create,
    commands.Delete: managing.delete,
    commands.Metadata: managing.metadata,
    commands.StreamStats: managing.stream_stats,
    commands.StoreOffset: tracking.store_offset,
    commands.QueryOffset: tracking.query_offset,
    commands.QueryPublisherSequence: tracking.query_publisher_sequence,
    commands.ResolveOffsetSpec: managing.resolve_offset_spec,
    commands.Route: super_streams.route,
    commands.Partitions: super_streams.partitions,
    commands.CreateSuperStream: super_streams.create_super_stream,
    commands.DeleteSuperStream: super_streams.delete_super_stream,
}
"""Commands of one that has."""
