"""`tls_ciphers`: ciphers for old devices, off until they are named."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.support.certificates import Files, TestAuthority
from warren.core.configuration.values import CertificateFiles
from warren.gateway.configuration.config import ConfigError
from warren.gateway.tls.ciphers import set_ciphers, weak_ciphers
from warren.gateway.tls.contexts import TlsContexts

Contexts = Callable[..., TlsContexts]


def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def names(context: ssl.SSLContext) -> list[str]:
    return [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]


def test_by_default_there_are_none_without_forward_secrecy() -> None:
    made = context()
    set_ciphers(made, ())
    assert {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"} <= set(names(made))
    assert weak_ciphers(made) == []
    assert not [name for name in names(made) if name.endswith("-SHA") or "PSK" in name or "SRP" in name]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("AES128-SHA", "AES128-SHA"),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"),
        ("TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"),
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ],
)
def test_the_names_of_openssl_and_of_the_standard(written: str, name: str) -> None:
    made = context()
    set_ciphers(made, (written,))
    assert names(made) == [name]


def test_in_their_order_with_the_default_ones_where_that_stands() -> None:
    usual_ones = context()
    set_ciphers(usual_ones, ())
    usual = names(usual_ones)
    made = context()
    set_ciphers(made, ("AES256-SHA", "Default", "AES128-SHA", "AES256-SHA"))
    assert names(made) == ["AES256-SHA", *usual, "AES128-SHA"]
    assert weak_ciphers(made) == ["AES256-SHA", "AES128-SHA"]
    assert made.options & ssl.OP_CIPHER_SERVER_PREFERENCE


def test_those_of_tls_1_3_are_there_anyway_and_leave_1_2_out_where_they_stand_alone() -> None:
    made = context()
    set_ciphers(made, ("TLS_AES_128_GCM_SHA256", "AES128-SHA"))
    assert names(made) == ["AES128-SHA"]
    made = context()
    set_ciphers(made, ("TLS_AES_128_GCM_SHA256",))
    assert made.minimum_version is ssl.TLSVersion.TLSv1_3
    made = context()
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ConfigError, match=r"all of them are for TLS 1\.3"):
        set_ciphers(made, ("TLS_AES_128_GCM_SHA256",))


NO_CIPHERS = ["AES129-SHA", "NULL-SHA", "ADH-AES128-SHA", "ALL", "AES128-SHA:NULL", "@SECLEVEL=0", "ä"]


@pytest.mark.parametrize("name", NO_CIPHERS)
def test_what_is_no_cipher_or_no_safe_one_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"is no cipher that can be used; `openssl ciphers -v` lists"):
        set_ciphers(context(), (name,))


# Handshakes


@pytest.fixture(scope="module")
def rsa(authority: TestAuthority) -> Files:
    """A certificate with the kind of key that old devices know."""
    return authority.issue("rsa", "localhost", rsa=True)


def agreed(server: ssl.SSLContext, authority: TestAuthority, ciphers: str) -> str:
    """The cipher that a client gets which knows TLS 1.2 with these; SSLError where there is none."""
    client = authority.client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    client_end = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(4):
        for end in (client_end, server_end):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    found = client_end.cipher()
    assert found is not None
    return found[0]


def test_an_old_device_gets_in_only_where_its_cipher_is_named(
    authority: TestAuthority, contexts: Contexts, rsa: Files, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"tls_certificate_file": rsa.certificate, "tls_key_file": rsa.key}
    usual = contexts(**files).current(0)
    with pytest.raises(ssl.SSLError):
        agreed(usual, authority, "AES128-SHA")
    assert "forward secrecy" not in caplog.text
    open_to_old = contexts(**files, tls_ciphers=("default", "AES128-SHA")).current(0)
    assert agreed(open_to_old, authority, "AES128-SHA") == "AES128-SHA"
    assert agreed(open_to_old, authority, "AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256") == "ECDHE-RSA-AES128-GCM-SHA256"
    assert "tls_ciphers allows AES128-SHA, without forward secrecy" in caplog.text


def test_certificates_for_other_names_have_them_too(
    authority: TestAuthority, contexts: Contexts, server: Files, rsa: Files
) -> None:
    other = authority.issue("other-rsa", "localhost", rsa=True)
    made = contexts(
        tls_server_name_certificates=(CertificateFiles(other.certificate, other.key),),
        tls_certificate_file=authority.issue("elsewhere", "elsewhere", rsa=True).certificate,
        tls_key_file=authority.directory / "elsewhere.key",
        tls_ciphers=("AES256-SHA",),
    )
    assert agreed(made.current(0), authority, "AES256-SHA") == "AES256-SHA"


def test_a_name_that_is_none_ends_the_start(contexts: Contexts) -> None:
    with pytest.raises(ConfigError, match="tls_ciphers: 'AES129-SHA' is no cipher"):
        contexts(tls_ciphers=("AES129-SHA",))
