"""Servers that may lose what they confirm are refused, in words that say what to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from warren.gateway.nats import requirements
from warren.gateway.nats.errors import UnfitServer
from warren.gateway.nats.jetstream import StreamInfo

GOOD: Mapping[str, Any] = {"version": "2.15.1", "jetstream": True, "max_payload": 1 << 20}


@pytest.mark.parametrize("version", ["2.15.0", "2.15.0-RC.1", "2.16.3", "3.0.0", "v2.15.1", "2.100"])
def test_new_enough(version: str) -> None:
    requirements.check_server({**GOOD, "version": version}, "nats://a")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"version": "2.14.9"}, "needs 2.15 or newer"),
        ({"version": "1.99"}, "needs 2.15 or newer"),
        ({"version": "new"}, "no version"),
        ({"version": ""}, "no version"),
        ({"jetstream": False}, "without JetStream"),
        ({"jetstream": 1}, "without JetStream"),
        ({"max_payload": 4096}, "set max_payload"),
        ({"max_payload": None}, "set max_payload"),
    ],
)
def test_unfit(wrong: Mapping[str, object], words: str) -> None:
    with pytest.raises(UnfitServer, match=words):
        requirements.check_server({**GOOD, **wrong}, "nats://a")


STREAM: Mapping[str, Any] = {"storage": "file", "num_replicas": 3, "retention": "limits", "discard": "new"}


def stream(**changed: object) -> StreamInfo:
    return StreamInfo("S", {**STREAM, **changed}, 0, 0, 1, 0, "a", ("b", "c"), ("b", "c"))


def test_a_stream_that_keeps_everything() -> None:
    requirements.check_stream(stream(max_msgs=-1, max_age=0, max_bytes=1 << 40, persist_mode="default"))
    requirements.check_stream(stream(num_replicas=1), replicas=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"storage": "memory"},
        {"num_replicas": 1},
        {"retention": "workqueue"},
        {"discard": "old"},
        {"max_msgs": 5},
        {"max_msgs_per_subject": 1},
        {"max_age": 1},
        {"persist_mode": "async"},
    ],
)
def test_a_stream_that_may_lose_something(changed: Mapping[str, object]) -> None:
    with pytest.raises(UnfitServer, match="the stream S "):
        requirements.check_stream(stream(**changed))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"config": {"sync_always": False}}, "sync_interval: always"),
        ({}, "without JetStream"),
        (None, "without JetStream"),
    ],
)
def test_settings(data: object, words: str) -> None:
    with pytest.raises(UnfitServer, match=words):
        requirements.check_settings({"server": {"name": "n1"}, "data": data})
