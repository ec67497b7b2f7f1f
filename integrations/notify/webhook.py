"""Telling an HTTP address, signed so that it can tell us from others (docs/notifications.md).

The form is that of Standard Webhooks (https://www.standardwebhooks.com), for which receivers find libraries in many
languages: HMAC-SHA256 over id, timestamp and body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from http import HTTPStatus
from typing import Final

import httpx

from inference.ports import Clock
from integrations.notify.notification import NotDelivered, Notification

TIMEOUT_SECONDS: Final = 10.0


def signature(secret: str, event: str, timestamp: int, body: bytes) -> str:
    """Give the signature of a message.

    Parameters
    ----------
    secret
        The key, as it is configured.
    event
        Value of ``webhook-id``.
    timestamp
        Value of ``webhook-timestamp``, seconds since 1970.
    body
        As it is sent.
    """
    signed = f"{event}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class WebhookSender:
    """Posts to one address.

    Parameters
    ----------
    address
        Where to.
    secret
        Key of the signature.
    client
        Carries timeouts and certificates; follows no redirect, for the signature is meant for this address.
    clock
        Time of each attempt, so that a receiver can refuse what is old.
    """

    def __init__(self, address: str, secret: str, client: httpx.Client, clock: Clock) -> None:
        self._address = address
        self._secret = secret
        self._client = client
        self._clock = clock

    def send(self, notification: Notification) -> None:
        """Post it; any answer of 2xx is a receipt.

        Raises
        ------
        NotDelivered
            If there is no answer, or another; finally where the address is gone (410).
        """
        document = {"id": notification.event, "type": notification.kind, "data": notification.content}
        body = json.dumps(document, separators=(",", ":")).encode()
        try:
            answer = self._client.post(
                self._address, content=body, headers=self._headers(notification.event, body), follow_redirects=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotDelivered(f"no answer ({type(error).__name__})") from None
        if not answer.is_success:
            gone = answer.status_code == HTTPStatus.GONE
            raise NotDelivered(f"answered {answer.status_code}", final=gone)

    def _headers(self, event: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock.now().timestamp())
        return {
            "Content-Type": "application/json",
            "User-Agent": "neuronova-node",
            "webhook-id": event,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secret, event, timestamp, body),
        }
