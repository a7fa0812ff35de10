"""SCRAM-SHA-256 on the broker's side (RFC 5802, RFC 7677): what proves nothing, in whatever form it comes."""

from __future__ import annotations

import pytest

from warren.adapters.session.scram import ScramRefused, ScramSha256
from warren.core.access.users import Users
from warren.core.storage.definitions.memory import MemoryDefinitionStore


@pytest.fixture
def scram() -> ScramSha256:
    users = Users(MemoryDefinitionStore())
    users.add_user("ada", "secret")
    return ScramSha256(users)


@pytest.mark.parametrize("first", [b"", b"n,,n=ada", b"n,,n=ada,r=\xff", b"p=tls-unique,,n=ada,r=abc"])
def test_what_is_no_first_message(scram: ScramSha256, first: bytes) -> None:
    with pytest.raises(ScramRefused):
        scram.answer(first)


@pytest.mark.parametrize(
    "final",
    [
        "c=biws,r={nonce}",
        "c=biws,r=abc,p=AAAA",
        "c=biws,r={nonce},p=*",
        "c=biws,r={nonce},p=AAAA",
        "c=biws,r={nonce},p=é",
        "c=é,r={nonce},p=AAAA",
    ],
)
def test_what_is_no_proof(scram: ScramSha256, final: str) -> None:
    challenge = scram.answer(b"n,,n=ada,r=abc").data.decode()
    nonce = challenge.partition(",")[0].removeprefix("r=")
    assert nonce.startswith("abc")
    with pytest.raises(ScramRefused):
        scram.answer(final.format(nonce=nonce).encode())
