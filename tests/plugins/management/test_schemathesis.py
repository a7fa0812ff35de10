"""The API held against its OpenAPI document by Schemathesis: requests that it allows, and ones that it doesn't.

Nothing may fail by a fault of the broker's, and every answer has to be of the type that the document says.  The
examples are the same at every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.plugins.management.test_by_schema import DOCUMENT, KEPT
from tests.support.warren_process import warren_process
from warren.plugins.management.endpoint import Endpoint
from warren.plugins.management.endpoints import ENDPOINTS
from warren.plugins.management.objects import Health

EXAMPLES = 5
"""For each endpoint."""

GUEST = ("guest", "guest")

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

TESTED = [each for each in ENDPOINTS if (each.method, each.path) not in KEPT]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    options = ("--set", "plugins=management,shovel,federation", "--set", "refused_login_delay_s=0")
    with warren_process(in_memory=True, listen=("amqp=127.0.0.1:0", "http=127.0.0.1:0"), options=options) as process:
        yield process.addresses["http"][1]
        counters = httpx.get(
            f"http://127.0.0.1:{process.addresses['http'][1]}/api/plugins", auth=GUEST, trust_env=False
        )
        found = next(each for each in counters.json() if each["name"] == "management")
        assert found["counters"]["internal_errors"] == 0


@pytest.mark.parametrize("each", TESTED, ids=lambda each: f"{each.method} {each.path}")
def test_answers_are_as_described(each: Endpoint, port: int) -> None:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.config.update(base_url=f"http://127.0.0.1:{port}")
    operation = schema[f"/api{each.path}"][each.method]

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        if "vhost" in case.path_parameters and "/vhosts/" not in each.path:
            case.path_parameters["vhost"] = "%2F"
        response = case.call(auth=GUEST)
        if each.answer is Health and response.status_code == 503:
            return
        case.validate_response(response, checks=CHECKS)

    ask()
