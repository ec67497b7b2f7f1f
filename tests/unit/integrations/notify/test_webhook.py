"""Webhooks, at a real HTTP listener that checks them as docs/notifications.md says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator

import httpx
import pytest

from integrations.notify.notification import JOB_ENDED, NotDelivered, Notification
from integrations.notify.webhook import WebhookSender
from tests.support.fakes import NOON, FixedClock
from tests.support.http_listener import HTTPListener, Received
from tests.support.repository import REPOSITORY

SECRET = "s" * 32
EVENT = Notification(
    number=7,
    channel="webhook-1",
    event="a" * 32 + ".1.completed",
    kind=JOB_ENDED,
    content={"job_id": "a" * 32, "study": "0f1e2d3c4b5a", "state": "COMPLETED", "code": None},
    attempts=1,
    created_at=NOON,
)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """Give a client that does not wait long."""
    with httpx.Client(timeout=10) as client:
        yield client


def verified(message: Received, secret: str, now: float, tolerance_s: float = 300) -> bool:
    """Check a message as a receiver does, without any code of ours."""
    event, timestamp = message.headers["webhook-id"], message.headers["webhook-timestamp"]
    signed = f"{event}.{timestamp}.".encode() + message.body
    wanted = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    given = [one.removeprefix("v1,") for one in message.headers["webhook-signature"].split()]
    fresh = abs(now - int(timestamp)) <= tolerance_s
    return fresh and any(hmac.compare_digest(one, wanted) for one in given)


def test_a_receiver_can_tell_us_from_others(http_listener: HTTPListener, client: httpx.Client) -> None:
    """Id, time and body are signed: none of them can be changed, and an old message cannot be sent again."""
    WebhookSender(http_listener.address, SECRET, client, FixedClock()).send(EVENT)

    (message,) = http_listener.received
    now = NOON.timestamp()
    assert verified(message, SECRET, now)
    assert not verified(message, "t" * 32, now)
    assert not verified(message, SECRET, now + 3600)
    for changed in (
        Received(message.path, message.headers, message.body + b" "),
        Received(message.path, {**message.headers, "webhook-id": "other"}, message.body),
        Received(message.path, {**message.headers, "webhook-timestamp": str(int(now) + 1)}, message.body),
    ):
        assert not verified(changed, SECRET, now)


def test_the_message_says_what_happened(http_listener: HTTPListener, client: httpx.Client) -> None:
    """The id is the event's, so that a repetition is seen to be one."""
    sender = WebhookSender(http_listener.address, SECRET, client, FixedClock())
    sender.send(EVENT)
    sender.send(EVENT)

    first, second = http_listener.received
    assert json.loads(first.body) == {"id": EVENT.event, "type": "job.ended", "data": dict(EVENT.content)}
    assert first.headers["content-type"] == "application/json"
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


@pytest.mark.parametrize(("status", "final"), [(301, False), (400, False), (404, False), (410, True), (503, False)])
def test_any_other_answer_is_no_receipt(
    http_listener: HTTPListener, client: httpx.Client, status: int, final: bool
) -> None:
    """A redirect is not followed: the signature is meant for one address. Only 410 says never."""
    http_listener.statuses = [status]
    with pytest.raises(NotDelivered) as failed:
        WebhookSender(http_listener.address, SECRET, client, FixedClock()).send(EVENT)

    assert (failed.value.reason, failed.value.final) == (f"answered {status}", final)
    assert len(http_listener.received) == 1


def test_nobody_there_is_no_receipt(http_listener: HTTPListener, client: httpx.Client) -> None:
    """The reason does not name the address, which may hold a key."""
    address = http_listener.address
    http_listener.close()
    with pytest.raises(NotDelivered) as failed:
        WebhookSender(address, SECRET, client, FixedClock()).send(EVENT)
    assert failed.value.reason == "no answer (ConnectError)"


def test_the_documents_receiver_accepts_what_we_send(http_listener: HTTPListener, client: httpx.Client) -> None:
    """The Python example of docs/notifications.md is run as it stands there."""
    text = (REPOSITORY / "docs" / "notifications.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example is not None
    names: dict[str, object] = {}
    exec(example[1], names)
    clock = FixedClock()
    WebhookSender(http_listener.address, SECRET, client, clock).send(EVENT)

    (message,) = http_listener.received
    is_ours = names["is_ours"]
    assert callable(is_ours)
    assert is_ours(message.headers, message.body, SECRET, now=clock.now().timestamp())
    assert not is_ours(message.headers, message.body, "t" * 32, now=clock.now().timestamp())
    assert not is_ours(message.headers, message.body, SECRET, now=clock.now().timestamp() + 301)
