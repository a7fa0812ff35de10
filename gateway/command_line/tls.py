"""`warren tls dev`: certificates to develop with, and what to do with them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from warren.gateway.network.settings import TLS_PORT

if TYPE_CHECKING:
    from warren.gateway.command_line.development import Made

_INSTRUCTIONS = """\
{authority}  ca.pem      the authority; clients are given this file (ca.key stays here: who has it can sign anything)
  server.pem  the broker's certificate, with server.key, for {names}
  client.pem  a client's certificate, with client.key, for the user {user}
Valid until {expires:%Y-%m-%d}; the same command renews them, and a running broker takes them up.

For the broker, in warren.toml:

  tls_certificate_file = "{server}"
  tls_key_file = "{server_key}"

and, if clients may log in with their certificates instead of passwords:

  tls_ca_file = "{ca}"
  tls_verify = "optional"
  tls_certificate_login_from = "common_name"

or without a file:

  warren serve --set tls_certificate_file={server_quoted} --set tls_key_file={server_key_quoted}

Clients have to trust the authority:

  Python      ssl.create_default_context(cafile="{ca}")
  mosquitto   mosquitto_sub -L mqtts://localhost/NAME --cafile {ca_quoted}
  openssl     openssl s_client -connect localhost:{port} -CAfile {ca_quoted}
  Java        keytool -importcert -alias warren -file {ca_quoted} -keystore trust.p12
  browsers    import ca.pem in the settings, under the certificates of authorities

These are for development: for everything else, have an authority sign that others know.
"""


def run(directory: str, names: Sequence[str], user: str) -> None:
    """Make or renew the certificates and print what to do.  Raises CommandFailedError."""
    from warren.gateway.command_line.development import make_certificates

    made = make_certificates(Path(directory).absolute(), names, user, datetime.now(UTC))
    print(instructions(made), end="")


def instructions(made: Made) -> str:
    """What to do with them."""
    ca, server, server_key = made.path("ca.pem"), made.path("server.pem"), made.path("server.key")
    kept = "with the authority that was there" if made.authority_kept else "with a new authority"
    return _INSTRUCTIONS.format(
        authority=f"Made in {made.directory}, {kept}:\n",
        names=", ".join(made.names),
        user=made.user,
        expires=made.expires,
        ca=ca,
        server=server,
        server_key=server_key,
        ca_quoted=shlex.quote(str(ca)),
        server_quoted=shlex.quote(str(server)),
        server_key_quoted=shlex.quote(str(server_key)),
        port=TLS_PORT,
    )
