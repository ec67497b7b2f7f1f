"""The conformance statement says what the code negotiates, not what somebody remembers."""

from __future__ import annotations

from pydicom.uid import UID

from dicom_node import contexts
from dicom_node.commitment import (
    CLASS_CONFLICT,
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    NO_SUCH_CLASS,
    NO_SUCH_INSTANCE,
    RESOURCE_LIMITATION,
)
from dicom_node.conformance import STATUS_ROWS, statement
from dicom_node.statuses import PROCESSING_FAILURE, STATUSES, SUCCESS
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID
from integrations.settings import Settings

SECRET = "s" * 40


def settings(**values: object) -> Settings:
    """Give settings of an embedded node."""
    return Settings(**{"queue_secret": SECRET, "jwt_secret": SECRET, **values})


def rows(text: str, heading: str) -> list[list[str]]:
    """Give the cells of the table under a heading, without its head."""
    part = text.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_negotiated_class_and_encoding_is_listed() -> None:
    """Exactly those of ``contexts.py``, with their names."""
    text = statement(settings())
    classes = {uid: name for name, uid in rows(text, "SOP classes as SCP")}
    assert set(classes) == {str(context.abstract_syntax) for context in contexts.supported_contexts()}
    assert classes["1.2.840.10008.5.1.4.1.1.4"] == "MR Image Storage"
    syntaxes = {uid: name for name, uid in rows(text, "Transfer syntaxes as SCP")}
    assert list(syntaxes) == list(contexts.RECEIVED_TRANSFER_SYNTAXES)
    assert all(name != uid for uid, name in syntaxes.items())
    assert UID("1.2.840.10008.1.2.1").name in syntaxes.values()


def test_the_statement_is_of_this_node() -> None:
    """Titles, port and limits are those of its settings."""
    text = statement(settings(ae_title="RADNODE", calling_ae_titles="PACS,MR1", dicom_port=4711, max_associations=7))
    networking = dict(rows(text, "Networking"))
    assert networking["AE titles we answer to"] == "RADNODE"
    assert networking["calling AE titles"] == "PACS, MR1"
    assert (networking["port"], networking["associations at a time"]) == ("4711", "7")
    assert networking["Implementation Class UID"] == IMPLEMENTATION_CLASS_UID
    assert dict(rows(statement(settings()), "Networking"))["calling AE titles"] == "any"


def test_every_status_that_we_answer_is_listed() -> None:
    """PS3.4 section B.2.3 leaves the choice to the implementation, so it must be written down."""
    listed = {int(code, 16) for code, *_ in STATUS_ROWS}
    assert listed == {SUCCESS, PROCESSING_FAILURE, *STATUSES.values()}


def test_every_commitment_status_is_listed() -> None:
    """What PS3.7 section 10.1.4.1.10 offers and we use; the notes say how a sender learns the outcome."""
    text = statement(settings())
    answered = {SUCCESS, PROCESSING_FAILURE, NO_SUCH_INSTANCE, INVALID_ARGUMENT, NO_SUCH_CLASS, NO_SUCH_ACTION}
    assert {int(row[0], 16) for row in rows(text, "Storage commitment")} == answered | {RESOURCE_LIMITATION}
    assert f"Failure Reason {NO_SUCH_INSTANCE:04X}, or {CLASS_CONFLICT:04X}" in text


def test_tables_are_whole() -> None:
    """No cell breaks the Markdown."""
    for line in statement(settings()).splitlines():
        assert not line.startswith("|") or line.count("|") in {3, 4}
