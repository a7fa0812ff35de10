"""Connections that haven't logged in: of one address only so many, and the oldest goes."""

from __future__ import annotations

from typing import cast

from warren.core.clients.strangers import Strangers
from warren.core.clients.transport import Transport


class Peer:
    def __init__(self, peer_host: str) -> None:
        self.peer_host = peer_host
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Stage:
    def __init__(self, below: object) -> None:
        self.below = below


def test_the_one_that_has_waited_longest_is_cut_off() -> None:
    told: list[str] = []
    strangers = Strangers(told.append, 2)
    peers = [Peer("192.0.2.7") for _ in range(3)]
    other = Peer("192.0.2.8")
    for peer in [*peers[:2], other, peers[2]]:
        strangers.came(peer)
    assert [peer.aborted for peer in [*peers, other]] == [True, False, False, False]
    assert told == ["192.0.2.7"]
    assert len(strangers) == 3


def test_who_has_logged_in_or_gone_isnt_counted() -> None:
    strangers = Strangers(lambda address: None, 2)
    peers = [Peer("2001:db8::1") for _ in range(4)]
    strangers.came(peers[0])
    strangers.logged_in(cast("Transport", Stage(Stage(peers[0]))))
    strangers.came(peers[1])
    strangers.gone(peers[1])
    strangers.gone(peers[1])
    strangers.came(peers[2])
    strangers.came(peers[3])
    assert not any(peer.aborted for peer in peers)
    strangers.came(Peer("2001:db8::2"))
    assert peers[2].aborted, "of IPv6, all of a network are one"


def test_this_machine_is_free() -> None:
    strangers = Strangers(lambda address: None, 1)
    peers = [Peer("127.0.0.1") for _ in range(4)] + [Peer("::1") for _ in range(4)]
    for peer in peers:
        strangers.came(peer)
    assert not any(peer.aborted for peer in peers)
    assert not strangers


def test_none() -> None:
    strangers = Strangers(lambda address: None, 0)
    for _ in range(3):
        strangers.came(Peer("192.0.2.7"))
    assert not strangers
