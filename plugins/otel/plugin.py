"""The plugin: messages are observed as long as it runs, and a thread sends what is seen to the collector.

OpenTelemetry's library is imported in a thread, as it takes longer than anybody may hold the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

import trio

from warren.gateway.plugin import Context, Plugin, keys_of
from warren.plugins.otel.exporting import Exporter, otlp_sender
from warren.plugins.otel.observer import TracingObserver
from warren.plugins.otel.sampling import Sampling
from warren.plugins.otel.settings import OtelSettings

EXTRA: Final = "otel"

PACKAGES: Final = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def _need_library() -> None:
    """ImportError, with what to do, where it isn't installed; nothing of it is imported."""
    try:
        missing = next((package for package in PACKAGES if find_spec(package) is None), None)
    except ModuleNotFoundError as error:
        missing = error.name
    if missing is not None:
        raise ImportError(f"it needs the package {missing}: pip install 'warren-mq[{EXTRA}]'")


_need_library()


class OtelPlugin(Plugin):
    """See the head of this file."""

    name = "otel"
    about = "traces of messages for OpenTelemetry, over OTLP"
    keys = tuple(keys_of(OtelSettings))

    def __init__(self) -> None:
        self._exporter: Exporter | None = None
        self._observer: TracingObserver | None = None

    def counters(self) -> Mapping[str, float]:
        if self._exporter is None or self._observer is None:
            return {}
        return {
            "spans_sent": self._exporter.sent,
            "spans_failed": self._exporter.failed,
            "spans_dropped": self._exporter.dropped,
            "spans_waiting": self._exporter.waiting,
            "deliveries_out": self._observer.out_count,
        }

    async def start(self, context: Context) -> None:
        settings = context.options.section(OtelSettings)
        version = context.facts.version

        def load() -> tuple[Exporter, Sampling]:
            exporter = Exporter(otlp_sender(settings), settings, context.log, version)
            return exporter, Sampling(settings.sampler, settings.ratio)

        exporter, sampling = await trio.to_thread.run_sync(load)
        self._exporter = exporter
        self._observer = TracingObserver(sampling, settings.propagation, exporter.add)
        exporter.start()
        try:
            context.observe_messages(self._observer)
            context.changed()
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(exporter.stop)
