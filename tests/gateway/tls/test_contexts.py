"""Certificates from files: what is refused at the start, server names, and files that change."""

from __future__ import annotations

import os
import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from tests.support.certificates import Files, TestAuthority, config_with
from tests.support.tls_broker import broker_without_leftovers
from warren.core.configuration.values import CertificateFiles
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.tls.contexts import CHECK_INTERVAL_MS, TlsContexts
from warren.gateway.tls.settings import TlsSettings

Configure = Callable[..., Config]

NOW_MS = int(time.time() * 1000)
"""Certificates are about the real time."""

DAY_MS = 24 * 3600 * 1000


def certificate_shown(context: ssl.SSLContext, authority: TestAuthority, name: str | None) -> bytes:
    """The certificate that a client gets to see which asks for this server name, as DER."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(authority.ca)
    client.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_end = context.wrap_bio(to_server, to_client, server_side=True)
    client_end = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(10):
        for end in (client_end, server_end):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    shown = client_end.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def der(files: Files) -> bytes:
    return ssl.PEM_cert_to_DER_cert(files.certificate.read_text())


# Server names


@pytest.fixture
def named(authority: TestAuthority) -> dict[str, Files]:
    return {
        "shop": authority.issue("shop", "shop.example", "www.shop.example"),
        "wild": authority.issue("wild", "*.example.org"),
        "idna": authority.issue("idna", "xn--bcher-kva.example"),
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop.example", "shop"),
        ("SHOP.example", "shop"),
        ("www.shop.example", "shop"),
        ("xn--bcher-kva.example", "idna"),
        ("a.example.org", "wild"),
        ("a.b.example.org", "default"),
        ("example.org", "default"),
        ("localhost", "default"),
        ("unknown.example", "default"),
        (None, "default"),
    ],
)
def test_the_certificate_follows_the_server_name(
    configure: Configure,
    authority: TestAuthority,
    server: Files,
    named: dict[str, Files],
    name: str | None,
    expected: str,
) -> None:
    more = tuple(CertificateFiles(files.certificate, files.key) for files in named.values())
    contexts = TlsContexts(configure(tls_server_name_certificates=more).section(TlsSettings), NOW_MS)
    shown = certificate_shown(contexts.current(NOW_MS), authority, name)
    assert shown == der({**named, "default": server}[expected])


# Reloading


class Replaceable:
    """Copies of certificates that a test may replace under a running broker."""

    def __init__(self, directory: Path, files: Files) -> None:
        self.files = Files(directory / "live.pem", directory / "live.key")
        self.use(files)

    def use(self, files: Files) -> None:
        """As whoever renews does: each file is replaced by a new one."""
        for source, target in ((files.key, self.files.key), (files.certificate, self.files.certificate)):
            beside = target.with_suffix(".new")
            shutil.copy(source, beside)
            os.replace(beside, target)


@pytest.fixture
def replaceable(tmp_path: Path, server: Files) -> Replaceable:
    return Replaceable(tmp_path, server)


@pytest.fixture
def renewed(authority: TestAuthority) -> Files:
    return authority.issue("renewed", "localhost", "127.0.0.1")


def test_changed_files_are_used_for_new_connections(
    authority: TestAuthority, replaceable: Replaceable, server: Files, renewed: Files, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    contexts = TlsContexts(config_with(authority, replaceable.files).section(TlsSettings), NOW_MS)
    before = contexts.current(NOW_MS)
    replaceable.use(renewed)
    assert contexts.current(NOW_MS + CHECK_INTERVAL_MS - 1) is before, "looked at for every connection"
    after = contexts.current(NOW_MS + CHECK_INTERVAL_MS)
    assert certificate_shown(before, authority, "localhost") == der(server)
    assert certificate_shown(after, authority, "localhost") == der(renewed)
    assert "certificates were loaded again" in caplog.text
    assert contexts.current(NOW_MS + 2 * CHECK_INTERVAL_MS) is after


def test_files_that_stay_are_not_loaded_again(authority: TestAuthority, replaceable: Replaceable) -> None:
    contexts = TlsContexts(config_with(authority, replaceable.files).section(TlsSettings), NOW_MS)
    before = contexts.current(NOW_MS)
    assert contexts.current(NOW_MS + 10 * CHECK_INTERVAL_MS) is before


def test_broken_files_leave_the_old_certificate_and_one_line(
    authority: TestAuthority, replaceable: Replaceable, server: Files, renewed: Files, caplog: pytest.LogCaptureFixture
) -> None:
    contexts = TlsContexts(config_with(authority, replaceable.files).section(TlsSettings), NOW_MS)
    before = contexts.current(NOW_MS)
    now_ms = NOW_MS
    breakages: list[Callable[[], object]] = [
        lambda: replaceable.files.certificate.write_text("-----BEGIN CERTIF"),
        lambda: shutil.copy(renewed.certificate, replaceable.files.certificate),  # without its key
        lambda: replaceable.files.key.unlink(),
    ]
    for breakage in breakages:
        caplog.clear()
        breakage()
        for _ in range(3):
            now_ms += CHECK_INTERVAL_MS
            assert contexts.current(now_ms) is before
        assert len(caplog.records) == 1, caplog.text
        assert "the certificate before stays" in caplog.text
    replaceable.use(renewed)
    after = contexts.current(now_ms + CHECK_INTERVAL_MS)
    assert certificate_shown(after, authority, "localhost") == der(renewed)


def test_a_changed_link_is_a_changed_file(
    authority: TestAuthority, tmp_path: Path, server: Files, renewed: Files
) -> None:
    # As Kubernetes does: the names stay, and so does what they point to, of which one part is exchanged.
    for name, files in (("old", server), ("new", renewed)):
        (tmp_path / name).mkdir()
        shutil.copy(files.certificate, tmp_path / name / "tls.crt")
        shutil.copy(files.key, tmp_path / name / "tls.key")
    (tmp_path / "data").symlink_to("old")
    live = Files(tmp_path / "live.crt", tmp_path / "live.key")
    live.certificate.symlink_to("data/tls.crt")
    live.key.symlink_to("data/tls.key")
    contexts = TlsContexts(config_with(authority, live).section(TlsSettings), NOW_MS)
    assert certificate_shown(contexts.current(NOW_MS), authority, "localhost") == der(server)
    (tmp_path / "data.new").symlink_to("new")
    os.replace(tmp_path / "data.new", tmp_path / "data")
    assert certificate_shown(contexts.current(NOW_MS + CHECK_INTERVAL_MS), authority, "localhost") == der(renewed)


def test_a_file_that_keeps_its_time_and_size_is_noticed(
    authority: TestAuthority, replaceable: Replaceable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    contexts = TlsContexts(config_with(authority, replaceable.files).section(TlsSettings), NOW_MS)
    before = replaceable.files.certificate.stat()
    content = bytearray(replaceable.files.certificate.read_bytes())
    with open(replaceable.files.certificate, "r+b") as file:
        file.write(content)
    os.utime(replaceable.files.certificate, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = replaceable.files.certificate.stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_size) == (before.st_mtime_ns, before.st_ino, before.st_size)
    contexts.current(NOW_MS + CHECK_INTERVAL_MS)
    assert "certificates were loaded again" in caplog.text


async def test_a_running_broker_takes_up_new_files_and_keeps_its_connections(
    authority: TestAuthority, replaceable: Replaceable, server: Files, renewed: Files, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_with(authority, replaceable.files)
    async with broker_without_leftovers(config, "stomps=127.0.0.1:0", log=caplog) as broker:

        async def connect() -> tuple[trio.SSLStream[trio.SocketStream], bytes]:
            stream = await trio.open_ssl_over_tcp_stream(
                "localhost", broker.address("stomps")[1], ssl_context=authority.client_context()
            )
            await stream.do_handshake()
            shown = stream.getpeercert(binary_form=True)
            assert shown is not None
            return stream, shown

        existing, shown = await connect()
        assert shown == der(server)
        replaceable.use(renewed)
        while shown != der(renewed):
            stream, shown = await connect()
            await stream.aclose()
        await existing.send_all(b"CONNECT\n\n\0")
        assert (await existing.receive_some()).startswith(b"CONNECTED\n")
        await existing.aclose()


# What ends the start


def copy(path: Path, directory: Path) -> Path:
    return Path(shutil.copy(path, directory / path.name))


def test_files_that_are_not_there(configure: Configure, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    for key, what in (("tls_certificate_file", "the certificate"), ("tls_key_file", "the key")):
        with pytest.raises(ConfigError, match=f"{what} {missing} can't be read: No such file"):
            TlsContexts(configure(**{key: missing}).section(TlsSettings), NOW_MS)
    with pytest.raises(ConfigError, match=f"tls_ca_file {missing}: No such file"):
        TlsContexts(configure(tls_ca_file=missing).section(TlsSettings), NOW_MS)


def test_a_key_of_another_certificate(configure: Configure, client: Files) -> None:
    with pytest.raises(ConfigError, match=r"the key .*client.key doesn't belong to the certificate .*server.pem"):
        TlsContexts(configure(tls_key_file=client.key).section(TlsSettings), NOW_MS)


@pytest.mark.parametrize("content", ["", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_certificate_that_is_none(configure: Configure, tmp_path: Path, content: str) -> None:
    file = tmp_path / "rubbish.pem"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"the certificate .*rubbish.pem can't be used"):
        TlsContexts(configure(tls_certificate_file=file).section(TlsSettings), NOW_MS)


def test_a_key_that_is_none(configure: Configure, tmp_path: Path, server: Files) -> None:
    file = tmp_path / "rubbish.key"
    file.write_text("rubbish")
    with pytest.raises(ConfigError, match=r"no private key in .*rubbish.key"):
        TlsContexts(configure(tls_key_file=file).section(TlsSettings), NOW_MS)
    with pytest.raises(ConfigError, match=r"no private key in .*server.pem"):
        TlsContexts(configure(tls_key_file=None).section(TlsSettings), NOW_MS)


def test_an_authority_that_is_none(configure: Configure, tmp_path: Path) -> None:
    file = tmp_path / "rubbish.pem"
    file.write_text("rubbish")
    with pytest.raises(ConfigError, match=r"tls_ca_file .*rubbish.pem: there is no certificate in it"):
        TlsContexts(configure(tls_ca_file=file).section(TlsSettings), NOW_MS)


@pytest.mark.parametrize("verify", ["optional", "required"])
def test_verifying_needs_an_authority(configure: Configure, verify: str) -> None:
    with pytest.raises(ConfigError, match=f"tls_verify = '{verify}' needs tls_ca_file"):
        TlsContexts(configure(tls_verify=verify, tls_ca_file=None).section(TlsSettings), NOW_MS)


def test_names_of_files_as_text(configure: Configure, authority: TestAuthority, server: Files) -> None:
    # As a program may give them to open_broker.
    config = configure(tls_certificate_file=str(server.certificate), tls_key_file=str(server.key))
    context = TlsContexts(config.section(TlsSettings), NOW_MS).current(NOW_MS)
    assert certificate_shown(context, authority, "localhost") == der(server)


def test_both_in_one_file(authority: TestAuthority, server: Files, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.touch(0o600)
    both.write_bytes(server.key.read_bytes() + server.certificate.read_bytes())
    config = config_with(authority, server, tls_certificate_file=both, tls_key_file=None)
    context = TlsContexts(config.section(TlsSettings), NOW_MS).current(NOW_MS)
    assert certificate_shown(context, authority, "localhost") == der(server)


@pytest.mark.parametrize("password", ["right", "wrong", ""])
def test_an_encrypted_key(authority: TestAuthority, server: Files, tmp_path: Path, password: str) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(server.key.read_bytes(), None)
    encrypted = tmp_path / "encrypted.key"
    encrypted.touch(0o600)
    encrypted.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"right"),
        )
    )
    config = config_with(authority, server, tls_key_file=encrypted, tls_key_password=password)
    if password == "right":
        TlsContexts(config.section(TlsSettings), NOW_MS)
    else:
        with pytest.raises(ConfigError, match=r"encrypted.key.*tls_key_password"):
            TlsContexts(config.section(TlsSettings), NOW_MS)


@pytest.mark.parametrize(
    ("days", "line"),
    [
        (0, ""),
        (80, "expires on"),
        (91, "has expired on"),
        (-91, "is valid only from"),
    ],
)
def test_the_validity_is_a_warning(
    configure: Configure, caplog: pytest.LogCaptureFixture, days: int, line: str
) -> None:
    TlsContexts(configure().section(TlsSettings), NOW_MS + days * DAY_MS)
    assert len(caplog.records) == bool(line)
    assert line in caplog.text


def test_a_key_that_everybody_can_read_is_a_warning(
    configure: Configure, server: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = copy(server.key, tmp_path)
    key.chmod(0o640)
    TlsContexts(configure(tls_key_file=key).section(TlsSettings), NOW_MS)
    assert caplog.text == ""
    key.chmod(0o644)
    TlsContexts(configure(tls_key_file=key).section(TlsSettings), NOW_MS)
    assert f"chmod o-rwx {key}" in caplog.text


async def test_a_listener_without_a_certificate_ends_the_start() -> None:
    with pytest.raises(ConfigError, match=r"the listener amqps=127.0.0.1:0 needs a certificate: set tls_certificate"):
        async with open_broker(listen=["amqp=127.0.0.1:0", "amqps=127.0.0.1:0"]):
            pass


async def test_a_certificate_that_no_listener_uses_is_a_warning(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_broker(listen=["amqp=127.0.0.1:0"], config=configure()):
        pass
    assert "no listener uses tls_certificate_file" in caplog.text


async def test_auto_without_a_certificate_starts(caplog: pytest.LogCaptureFixture) -> None:
    async with open_broker(listen=["auto=127.0.0.1:0"]) as broker:
        stream = await trio.open_tcp_stream(*broker.address("auto"))
        await stream.send_all(bytes.fromhex("16 0301 0004 01000000"))
        assert await stream.receive_some() == bytes.fromhex("15 03 01 00 02 02 28")
        assert await stream.receive_some() == b""
        await stream.aclose()
    assert "set tls_certificate_file" in caplog.text
