"""The keys of the plugin: what they take, and that each arrives."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from warren.gateway.configuration.load import load_config
from warren.plugins.otel.settings import OtelSettings, endpoint, headers

WRITTEN = """
plugins = ["otel"]
[otel]
endpoint = "https://collector.example:4318"
headers = "X-Api-Key=s%2Ccret, other = 2"
service_name = "burrow"
sampler = "traceidratio"
ratio = 0.25
propagation = "rewrite"
queue_max = 77
batch_max = 11
delay_s = 0.5
timeout_s = 3
"""

EXPECTED = OtelSettings(
    endpoint="https://collector.example:4318/v1/traces",
    headers=(("x-api-key", "s,cret"), ("other", "2")),
    service_name="burrow",
    sampler="traceidratio",
    ratio=0.25,
    propagation="rewrite",
    queue_spans=77,
    batch_spans=11,
    delay_s=0.5,
    timeout_s=3.0,
)


def test_every_key_arrives(tmp_path: Path) -> None:
    (tmp_path / "warren.toml").write_text(WRITTEN)
    found = load_config(config_file=tmp_path / "warren.toml", environment={}).section(OtelSettings)
    usual = OtelSettings()
    assert found == EXPECTED
    assert [each.name for each in fields(usual) if getattr(usual, each.name) == getattr(found, each.name)] == []
    assert "s,cret" not in repr(found)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", ""),
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
        ("https://a.example/own/path", "https://a.example/own/path"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_endpoints(written: str, read: str) -> None:
    assert endpoint(written) == read


@pytest.mark.parametrize("wrong", ["localhost:4318", "ftp://localhost", "http://", 4318])
def test_what_is_no_endpoint(wrong: Any) -> None:
    with pytest.raises(ValueError, match="a URL"):
        endpoint(wrong)


@pytest.mark.parametrize("wrong", ["name", "=value", "a=1,b", 1])
def test_what_are_no_headers(wrong: Any) -> None:
    with pytest.raises(ValueError, match="text such as"):
        headers(wrong)
