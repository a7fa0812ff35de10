"""Enters all floods into the table, whoever asks for them."""

from __future__ import annotations

import tests.floods.amqp
import tests.floods.fan_out
import tests.floods.management
import tests.floods.mqtt
import tests.floods.stomp  # noqa: F401
from tests.floods.table import FLOODS

__all__ = ["FLOODS"]
