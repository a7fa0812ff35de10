"""A Celery application with tasks for the tests. The worker process and the test process both import it.

The broker's URL comes by the environment variable AMQP_URL; results go back through it, too (`rpc://`).  QUEUE_TYPE
says of which type the queue of the tasks is, or "defaults" for an application that configures nothing.  With quorum,
tasks and retries for later wait in Celery's own ladder of queues with TTLs, each of which has the next one as its dead
letter target.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

application = Celery("warren-interop", broker=os.environ.get("AMQP_URL"), backend="rpc://")
DEFAULTS = "defaults"
"""QUEUE_TYPE of an application that configures nothing."""

if os.environ.get("QUEUE_TYPE") != DEFAULTS:
    application.conf.update(
        broker_connection_retry_on_startup=True,
        broker_transport_options={"confirm_publish": True},
        enable_utc=True,
        result_expires=60,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
    )


QUORUM_QUEUES = {
    "task_default_queue": "celery-quorum",
    "task_default_queue_type": "quorum",
    "task_default_exchange_type": "topic",
    "worker_detect_quorum_queues": True,
    "broker_native_delayed_delivery_queue_type": "quorum",
}
if os.environ.get("QUEUE_TYPE") == "quorum":
    application.conf.update(**QUORUM_QUEUES)

RETRIES_AFTER_S = (1, 3, 3)
"""The second and third one come through a step of the ladder where the message was before."""


def add(left: int, right: int) -> int:
    return left + right


def fail(text: str) -> None:
    raise ValueError(text)


def succeed_at_third_attempt(self: Any) -> int:
    attempts = int(self.request.retries) + 1
    if attempts < 3:
        raise self.retry(countdown=0)
    return attempts


def succeed_at_last_retry(self: Any) -> int:
    """Retry with the headers that the message came with, as Celery 5.5 does; newer ones leave the deaths out."""
    retries = int(self.request.retries)
    if retries < len(RETRIES_AFTER_S):
        raise self.retry(countdown=RETRIES_AFTER_S[retries], headers=dict(self.request.headers or {}))
    return retries + 1


def succeed_at_last_plain_retry(self: Any) -> int:
    """The same with whatever headers this Celery takes along by itself."""
    retries = int(self.request.retries)
    if retries < len(RETRIES_AFTER_S):
        raise self.retry(countdown=RETRIES_AFTER_S[retries])
    return retries + 1


def where(self: Any) -> dict[str, object]:
    """What the worker knows of the delivery."""
    information = self.request.delivery_info
    return {"redelivered": information["redelivered"], "routing_key": information["routing_key"]}


application.task(add)
application.task(fail)
application.task(bind=True, max_retries=3)(succeed_at_third_attempt)
application.task(bind=True, max_retries=5)(succeed_at_last_retry)
application.task(bind=True, max_retries=5)(succeed_at_last_plain_retry)
application.task(bind=True)(where)
