"""Keys of a cluster."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from warren.core.cluster.shards import SHARDS_DEFAULT
from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import boolean, path, text, whole_number
from warren.core.frozen import frozen

NAME_BYTES_MAX: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9_@.-]+")


def _servers(value: object) -> str:
    """Addresses of NATS servers; what is wrong with them is said where they are written."""
    addresses = ",".join(map(str, value)) if isinstance(value, list) else text(value)
    if addresses:
        # Nobody without a cluster needs to know how they are written.
        from warren.gateway.nats.addresses import parse_servers

        parse_servers(addresses)
    return addresses


def _name(value: object) -> str:
    name = text(value)
    if name and not (_NAME.fullmatch(name) and len(name) <= NAME_BYTES_MAX):
        raise ValueError(f"1 to {NAME_BYTES_MAX} letters, digits, and any of - _ . @")
    return name


@frozen
class ClusterSettings:
    """What a node is told of its cluster; servers: empty for a broker without one."""

    servers: str = configured(
        Key(
            "cluster",
            _servers,
            "",
            "The NATS servers that keep what is replicated, such as `nats://a:4222,nats://b:4222,nats://c:4222`: this "
            "broker is a node of a cluster then ([cluster.md](cluster.md)). Also `--cluster`. `tls://` for TLS, and "
            "`nats://user:password@host` to log in. Empty: a broker by itself.",
            secret=True,
        )
    )
    node_name: str = configured(
        Key(
            "node_name",
            _name,
            "",
            "This node's name, by which the others know it; no two nodes of a cluster have the same. Also "
            "`--node-name`. Without it: `warren@` and the name of the machine.",
            computed=True,
        )
    )
    imports: bool = configured(
        Key(
            "cluster_import",
            boolean,
            False,
            "When this node joins a cluster with definitions of its own that the cluster lacks: give them to it. "
            "Without it such a node isn't taken, so that nothing is merged unseen. Also `--cluster-import`.",
        )
    )
    shards: int = configured(
        Key(
            "cluster_shards",
            whole_number(1, 256),
            SHARDS_DEFAULT,
            "How many logs the replicated queues are spread over. The first node of a cluster decides it for good; "
            "nodes that say otherwise aren't taken.",
        )
    )
    replicas: int = configured(
        Key(
            "cluster_replicas",
            whole_number(3, 5),
            3,
            "On how many NATS servers each log is: 3, or 5 where two may be lost at a time. As `cluster_shards`, the "
            "first node decides it.",
        )
    )
    credentials: Path | None = configured(
        Key("cluster_credentials", path, None, "File of NATS credentials (`.creds`) to log in to the servers with.")
    )
    ca_file: Path | None = configured(
        Key(
            "cluster_cacertfile",
            path,
            None,
            "Certificates of those who may vouch for the NATS servers, in PEM. Without it: the system's.",
        )
    )
    certificate_file: Path | None = configured(
        Key("cluster_certfile", path, None, "This node's certificate for the NATS servers, in PEM, where they ask.")
    )
    key_file: Path | None = configured(Key("cluster_keyfile", path, None, "The key of that certificate."))


@frozen
class LinkSettings:
    """How the nodes of a cluster reach each other's queues."""

    address: str = configured(
        Key(
            "cluster_link",
            text,
            "0.0.0.0:25672",
            "Where this node listens for the other nodes of its cluster, as `host:port`. Others reach it there; for "
            "`0.0.0.0` and `[::]` by the name of the machine.",
        )
    )
    advertised: str = configured(
        Key(
            "cluster_link_advertised",
            text,
            "",
            "Where the other nodes reach this one, as `host:port`, if that isn't what it listens on: behind a proxy, "
            "or in a container whose port is published as another one. Empty: by `cluster_link`.",
        )
    )
    secret_file: Path | None = configured(
        Key(
            "cluster_secret_file",
            path,
            None,
            "File with the secret that the nodes of a cluster prove to each other to know: the same on all of them, at "
            "least 16 bytes, such as the output of `openssl rand -hex 32`.",
        )
    )
    tls: bool = configured(
        Key(
            "cluster_link_tls",
            boolean,
            False,
            "Whether nodes speak TLS with each other, with `tls_certificate_file` and `tls_key_file`. Without it "
            "nobody else should see the network between them.",
        )
    )
    link_ca_file: Path | None = configured(
        Key(
            "cluster_link_cacertfile",
            path,
            None,
            "Certificates of those who may vouch for the other nodes, in PEM. Without it: the system's.",
        )
    )
