"""docs/errors.md must say what inference/errors.py and the API's border can answer."""

from __future__ import annotations

import re

from dicom_node.verdicts import UNEXPECTED
from dicom_node.worker import DEADLINE
from inference.errors import NodeError, ReasonCode, leaves
from integrations.persistence.job_store import EXHAUSTED
from tests.support.repository import REPOSITORY

ROW = re.compile(r"^\| `([a-z0-9_.]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)

HTTP_CODE = re.compile(r'"((?:auth|request|gateway)\.[a-z_]+)"')

OUTSIDE_THE_TREE = {EXHAUSTED, DEADLINE, UNEXPECTED, NodeError.code}
"""Codes without a class of their own: verdicts on what nobody is left to report, and what nobody foresaw."""


LOG_EVENTS = {"gateway.request", "gateway.access", "gateway.trouble"}
"""Names of the same form that are no answers."""


def documented() -> dict[str, tuple[str, str]]:
    """Give meaning and advice by code, from the document's tables."""
    text = (REPOSITORY / "docs" / "errors.md").read_text()
    return {code: (meaning.strip(), advice.strip()) for code, meaning, advice in ROW.findall(text)}


def codes() -> set[str]:
    """Give every code that the node can answer."""
    tree = {error.code for error in leaves()}
    reasons = {reason.value for reason in ReasonCode}
    sources = [*(REPOSITORY / "control_api").rglob("*.py"), *(REPOSITORY / "nginx" / "snippets").glob("*.conf")]
    answered = {code for path in sources for code in HTTP_CODE.findall(path.read_text())}
    return tree | reasons | OUTSIDE_THE_TREE | (answered - LOG_EVENTS)


def test_every_code_is_explained_to_a_technologist() -> None:
    """A code that the document lacks helps nobody."""
    assert not codes() - documented().keys()


def test_the_document_explains_no_code_that_does_not_exist() -> None:
    """Codes are a contract: one that disappeared was renamed, which must not happen."""
    assert not documented().keys() - codes()


def test_every_code_says_what_to_do() -> None:
    """Also where that is nothing."""
    assert all(meaning and advice for meaning, advice in documented().values())
