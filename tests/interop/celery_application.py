"""A Celery application with tasks for the tests. The worker process and the test process both import it.

The broker's URL comes by the environment variable AMQP_URL; results go back through it, too (`rpc://`).
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

application = Celery("warren-interop", broker=os.environ.get("AMQP_URL"), backend="rpc://")
application.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    enable_utc=True,
    result_expires=60,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
)


def add(left: int, right: int) -> int:
    return left + right


def fail(text: str) -> None:
    raise ValueError(text)


def succeed_at_third_attempt(self: Any) -> int:
    attempts = int(self.request.retries) + 1
    if attempts < 3:
        raise self.retry(countdown=0)
    return attempts


def where(self: Any) -> dict[str, object]:
    """What the worker knows of the delivery."""
    information = self.request.delivery_info
    return {"redelivered": information["redelivered"], "routing_key": information["routing_key"]}


application.task(add)
application.task(fail)
application.task(bind=True, max_retries=3)(succeed_at_third_attempt)
application.task(bind=True)(where)
