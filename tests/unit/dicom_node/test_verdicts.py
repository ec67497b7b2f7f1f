"""Every error has a verdict, and the verdicts agree with what the errors say of themselves."""

from __future__ import annotations

import pytest

from dicom_node import verdicts
from dicom_node.verdicts import VERDICTS, Verdict, verdict
from inference import errors
from inference.errors import NodeError, ReasonCode, leaves

LEAVES = [leaf for leaf in leaves() if leaf.__module__ == errors.__name__]


def make(kind: type[NodeError]) -> NodeError:
    """Make an error of a kind."""
    if issubclass(kind, errors.StudyError):
        return kind(ReasonCode.INCOMPLETE, "why")
    return kind("why")


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_leaf_is_in_the_table(leaf: type[NodeError]) -> None:
    """What becomes of a job is decided by a person who writes a table, not by a default."""
    assert leaf in VERDICTS
    assert verdict(make(leaf)) is VERDICTS[leaf]


def test_the_table_holds_nothing_but_leaves() -> None:
    """An entry for a class that is gone, or that has subclasses, would hide a gap."""
    assert set(VERDICTS) == set(LEAVES)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_what_may_heal_is_tried_again_and_nothing_else(leaf: type[NodeError]) -> None:
    """The API tells clients ``retryable``; the worker must do the same."""
    assert (VERDICTS[leaf] is Verdict.RETRY) == leaf.retryable


@pytest.mark.parametrize("reason", ReasonCode, ids=str)
def test_every_named_reason_is_a_rejection(reason: ReasonCode) -> None:
    """A series that is not analysed is no fault of the node, whichever error names the reason."""
    for kind in (errors.NoMatchingModel, errors.IncompleteSeries, errors.UnsupportedGeometry):
        assert verdict(kind(reason, "why")) is Verdict.REJECT
    assert verdict(errors.ImplausibleResult("why", reason)) is Verdict.REJECT


def test_an_error_that_is_not_in_the_table_says_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that an adapter derives is judged by its nearest known class, else by ``retryable``."""
    monkeypatch.setattr(verdicts, "VERDICTS", {})
    assert verdict(errors.PeerUnavailable("why")) is Verdict.RETRY
    assert verdict(errors.PeerRefused("why")) is Verdict.FAIL
    monkeypatch.setattr(verdicts, "VERDICTS", {errors.DeliveryError: Verdict.DROP})
    assert verdict(errors.PeerUnavailable("why")) is Verdict.DROP
