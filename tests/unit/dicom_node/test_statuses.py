"""The DIMSE border's table."""

from __future__ import annotations

import pytest

from dicom_node.statuses import STATUSES, failure, unexpected_failure
from inference import errors


def test_every_leaf_of_the_error_tree_has_a_status() -> None:
    """No error is without an answer, and no entry is without an error."""
    assert set(STATUSES) == set(errors.leaves())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InstanceUnreadable("cut short"), 0xC000),
        (errors.SOPClassMismatch("another class"), 0xA900),
        (errors.SpoolFull("no room"), 0xA700),
        (errors.NodeError("anything else"), 0x0110),
    ],
)
def test_status_and_comment(error: errors.NodeError, status: int) -> None:
    """The statuses are those of PS3.4 section B.2.3, and the comment names the code."""
    response = failure(error)
    assert response.Status == status
    assert response.ErrorComment.startswith(error.code)


def test_a_comment_is_a_valid_long_string() -> None:
    """Error Comment is VR LO: at most 64 characters, no backslash, default repertoire."""
    comment = failure(errors.SpoolFull("ä\\" * 100)).ErrorComment
    assert len(comment) == 64
    assert comment.isascii()
    assert "\\" not in comment


def test_an_unforeseen_error_tells_nothing() -> None:
    """A sender learns that it was our failure, and no more."""
    assert unexpected_failure().Status == 0x0110
