"""The DICOM events, without a network."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from dicom_node.handlers import Destination, handle_association_request, handle_echo, handle_store
from dicom_node.spool import FolderSpool
from inference.domain.identifiers import AETitle
from inference.errors import SpoolFull
from tests.support.arrivals import SYNTAX, small_bytes, small_instance
from tests.support.fakes import FixedClock
from tests.support.memory_index import MemoryIndex


def store_event(data_set: bytes | None, **command: str) -> Any:
    """Make a C-STORE event of MODALITY with the identifiers of the small instance."""
    instance = small_instance()
    request = {"AffectedSOPClassUID": instance.SOPClassUID, "AffectedSOPInstanceUID": instance.SOPInstanceUID}
    stream = None if data_set is None else BytesIO(data_set)
    return SimpleNamespace(
        request=SimpleNamespace(**{**request, **command}, DataSet=stream),
        context=SimpleNamespace(transfer_syntax=SYNTAX),
        assoc=SimpleNamespace(requestor=SimpleNamespace(ae_title="MODALITY")),
    )


@pytest.fixture
def destination(tmp_path: Path) -> Destination:
    """Give a real spool and an index in memory."""
    return Destination(FolderSpool(tmp_path), MemoryIndex(FixedClock()))


def rows(destination: Destination) -> int:
    """Count the rows of the index."""
    index = destination.index
    assert isinstance(index, MemoryIndex)
    return sum(len(row.instances) for row in index.rows.values())


def test_an_instance_is_kept_and_then_acknowledged(destination: Destination) -> None:
    """Success is answered with the file in the spool and the row in the index."""
    assert handle_store(store_event(small_bytes()), destination) == 0x0000
    assert rows(destination) == 1


def test_no_success_without_a_row(destination: Destination) -> None:
    """When the database cannot be written the sender is told to keep its copy."""
    destination.index.failure = SpoolFull("no database")  # type: ignore[attr-defined]
    response = handle_store(store_event(small_bytes()), destination)
    assert response.Status == 0xA700  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (store_event(None), 0xC000),
        (store_event(b"no DICOM at all, just text"), 0xC000),
        (store_event(small_bytes()[:-3]), 0xC000),
        (store_event(small_bytes(), AffectedSOPInstanceUID="1.2.3"), 0xA900),
        (store_event(small_bytes(), AffectedSOPClassUID="1.2.840.10008.5.1.4.1.1.2"), 0xA900),
    ],
)
def test_what_cannot_be_taken_is_refused(destination: Destination, event: Any, status: int) -> None:
    """The right status, no row, and no file."""
    assert handle_store(event, destination).Status == status  # type: ignore[union-attr]
    assert rows(destination) == 0


def test_an_unforeseen_error_is_answered_and_logged_without_its_text(destination: Destination) -> None:
    """Nothing escapes into pynetdicom, and the log line has the kind of the error only."""
    destination.index.failure = RuntimeError("Doe^Jane")  # type: ignore[attr-defined]
    with capture_logs() as lines:
        response = handle_store(store_event(small_bytes()), destination)
    assert response.Status == 0x0110  # type: ignore[union-attr]
    assert lines[0]["exception"] == "RuntimeError"
    assert "Doe" not in repr(lines)


def test_no_patient_data_in_the_log(destination: Destination) -> None:
    """Neither acceptance nor refusal logs a name, an id or a UID."""
    instance = small_instance()
    with capture_logs() as lines:
        handle_store(store_event(small_bytes()), destination)
        handle_store(store_event(small_bytes()[:-3]), destination)
    for secret in (str(instance.PatientName), instance.PatientID, instance.SOPInstanceUID, instance.StudyInstanceUID):
        assert secret not in repr(lines)


def test_echo() -> None:
    """C-ECHO is answered with success."""
    assert handle_echo(SimpleNamespace()) == 0x0000


@pytest.mark.parametrize(("called", "becomes"), [("SECOND ", "SECOND"), ("STRANGER", "NEURONOVA")])
def test_we_answer_under_each_of_our_titles(called: str, becomes: str) -> None:
    """The title that was called becomes ours if it is on the list."""
    acceptor = SimpleNamespace(ae_title="NEURONOVA")
    requestor = SimpleNamespace(primitive=SimpleNamespace(called_ae_title=called))
    event = SimpleNamespace(assoc=SimpleNamespace(acceptor=acceptor, requestor=requestor))
    handle_association_request(event, frozenset({AETitle("NEURONOVA"), AETitle("SECOND")}))
    assert acceptor.ae_title == becomes
