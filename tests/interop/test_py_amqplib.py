"""py-amqplib 1.0.2, which speaks AMQP 0-8, as Debian packages it (for Debian's Python)."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from tests.interop.clients import FOLDER, need, run_for_json

PROGRAM = FOLDER / "py_amqplib" / "round_trip.py"

DEBIAN_PYTHON = "/usr/bin/python3"


def test_a_client_of_amqp_0_8(broker: Any) -> None:
    if not broker.is_warren:
        pytest.skip("RabbitMQ has dropped AMQP 0-8 by now")
    need(os.access(DEBIAN_PYTHON, os.X_OK), f"Debian's Python ({DEBIAN_PYTHON})")
    look = subprocess.run([DEBIAN_PYTHON, "-c", "import amqplib"], capture_output=True, check=False)
    need(look.returncode == 0, "py-amqplib (python3-amqplib)")

    host, port = broker.address
    result = run_for_json([DEBIAN_PYTHON, str(PROGRAM), f"{host}:{port}", "interop-py-amqplib"])
    assert result == {
        "bodies": [f"message {number}" for number in range(50)],
        "headers kept": True,
        "left": None,
    }
