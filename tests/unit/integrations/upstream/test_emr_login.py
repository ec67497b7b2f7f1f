"""What asks the medical record in the background logs in as the gateway does, and once more where it must."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
import pytest

from inference.errors import PeerUnavailable
from integrations.upstream.client_assertion import AssertedTokens
from integrations.upstream.emr_login import TokenAuth
from integrations.upstream.exchange import Trouble, UpstreamTrouble


class FakeTokens(AssertedTokens):
    """Gives one token after another; without any left there is none to be had."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._left = list(tokens)

    def headers(self) -> dict[str, str]:
        """Give the present one."""
        if not self._left:
            raise UpstreamTrouble("record", Trouble.UNREACHABLE)
        return {"authorization": f"Bearer {self._left[0]}"}

    def forget(self) -> None:
        """Go on to the next."""
        del self._left[0]


def ask(tokens: FakeTokens, valid: str) -> httpx.Response:
    """Ask a record that takes one token."""

    def answer(request: httpx.Request) -> httpx.Response:
        """Let it in or not."""
        return httpx.Response(200 if request.headers["authorization"] == f"Bearer {valid}" else 401)

    with httpx.Client(transport=httpx.MockTransport(answer), auth=TokenAuth(tokens)) as client:
        return client.get("https://record.example/Patient")


def test_a_token_that_is_not_taken_any_more_is_replaced_once() -> None:
    """The second answer stands, whatever it is."""
    assert ask(FakeTokens(["good"]), "good").status_code == 200
    assert ask(FakeTokens(["old", "good"]), "good").status_code == 200
    assert ask(FakeTokens(["old", "older", "good"]), "good").status_code == 401


def test_without_a_token_the_record_is_away() -> None:
    """So that the turn is taken again later."""
    with pytest.raises(PeerUnavailable):
        ask(FakeTokens([]), "good")
