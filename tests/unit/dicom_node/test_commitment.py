"""Storage commitment that we give: what is asked, whatever is in it, and how the sender is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import N_ACTION
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import ModalityPerformedProcedureStep, StorageCommitmentPushModel
from structlog.testing import capture_logs

from dicom_node import commitment_reports
from dicom_node.application_entity import ReceiverOptions
from dicom_node.commitment import examine, read_request
from dicom_node.commitment_reports import CommitmentReporter
from dicom_node.handlers import handle_commitment
from inference.domain.identifiers import AETitle
from inference.errors import StoreUnavailable
from integrations.orthanc.commitment import WELL_KNOWN_INSTANCE
from integrations.orthanc.peer import Peer
from tests.support.arrivals import small_instance
from tests.support.fakes import FixedClock
from tests.support.memory_index import MemoryIndex
from tests.support.receiving import OUR_TITLE, Receiving, receiving
from tests.support.waiting import wait_until

SENDER = AETitle("SENDER")


def question(count: int = 2, transaction_uid: str | None = "1.2.3", **changes: object) -> Dataset:
    """Give action information about ``count`` small instances; ``changes`` are made to the first reference."""
    items = []
    for index in range(count):
        item = Dataset()
        item.ReferencedSOPClassUID = str(MRImageStorage)
        item.ReferencedSOPInstanceUID = small_instance(index).SOPInstanceUID
        items.append(item)
    for keyword, value in changes.items():
        setattr(items[0], keyword, value)
    information = Dataset()
    if transaction_uid is not None:
        information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = items
    return information


def action_event(information: Dataset | bytes | None, **changes: Any) -> Any:
    """Make an N-ACTION event as pynetdicom does; ``changes`` are made to the command."""
    content = encode(information, False, True) if isinstance(information, Dataset) else information
    request = N_ACTION()
    request.MessageID = 1
    request.RequestedSOPClassUID = StorageCommitmentPushModel
    request.RequestedSOPInstanceUID = WELL_KNOWN_INSTANCE
    request.ActionTypeID = 1
    request.ActionInformation = None if content is None else BytesIO(content)
    abstract_syntax = changes.pop("abstract_syntax", StorageCommitmentPushModel)
    for name, value in changes.items():
        setattr(request, name, value)
    association = SimpleNamespace(requestor=SimpleNamespace(ae_title=str(SENDER)), bound=[])
    association.bind = lambda *arguments: association.bound.append(arguments)
    context = SimpleNamespace(abstract_syntax=abstract_syntax, transfer_syntax=ExplicitVRLittleEndian, context_id=1)
    return evt.Event(association, evt.EVT_N_ACTION, {"request": request, "context": context})


@pytest.fixture
def index() -> MemoryIndex:
    """Give an empty index."""
    return MemoryIndex(FixedClock())


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (action_event(question()), 0x0000),
        (action_event(question(), RequestedSOPInstanceUID="1.2.3"), 0x0112),
        (action_event(question(), ActionTypeID=2), 0x0123),
        (action_event(question(), RequestedSOPClassUID=ModalityPerformedProcedureStep), 0x0118),
        (action_event(question(), abstract_syntax=MRImageStorage), 0x0118),
        (action_event(None), 0x0115),
        (action_event(b""), 0x0115),
        (action_event(b"no data set at all, just text"), 0x0115),
        (action_event(encode(question(), False, True)[:-9]), 0x0115),  # type: ignore[index]
        (action_event(Dataset()), 0x0115),
        (action_event(question(transaction_uid=None)), 0x0115),
        (action_event(question(transaction_uid="")), 0x0115),
        (action_event(question(transaction_uid="../../etc")), 0x0115),
        (action_event(question(0)), 0x0115),
        (action_event(question(ReferencedSOPInstanceUID="")), 0x0115),
        (action_event(question(ReferencedSOPInstanceUID="1.02.3")), 0x0115),
        (action_event(question(ReferencedSOPInstanceUID=["1.2", "1.3"])), 0x0115),
        (action_event(question(ReferencedSOPClassUID=None)), 0x0115),
    ],
)
def test_the_right_status_for_whatever_is_asked(index: MemoryIndex, event: Any, status: int) -> None:
    """Never an exception; and a report is prepared only where the request was taken."""
    assert handle_commitment(event, index, CommitmentReporter()) == (status, None)
    assert bool(event.assoc.bound) == (status == 0x0000)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(content: bytes) -> None:
    """Whatever the action information is, the answer is a status."""
    status, reply = handle_commitment(action_event(content), MemoryIndex(FixedClock()), CommitmentReporter())
    assert status in {0x0115, 0x0000}
    assert reply is None


def test_too_much_at_once(index: MemoryIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is bounded in work, also one that consists of nothing but empty items or one long value."""
    monkeypatch.setattr("dicom_node.commitment.MOST_REFERENCES", 2)
    assert handle_commitment(action_event(question(2)), index, CommitmentReporter())[0] == 0x0000
    assert handle_commitment(action_event(question(3)), index, CommitmentReporter())[0] == 0x0213
    monkeypatch.undo()
    empty_items = b"\xfe\xff\x00\xe0\x00\x00\x00\x00" * 30_000
    for content in (empty_items, b"\x00" * 4_000_000):
        assert handle_commitment(action_event(content), index, CommitmentReporter())[0] == 0x0213


def test_a_database_that_cannot_be_read_is_our_failure(index: MemoryIndex) -> None:
    """The sender may ask again; nothing of the error goes out or into the log but its kind."""
    index.failure = StoreUnavailable("no database")
    with capture_logs() as lines:
        assert handle_commitment(action_event(question()), index, CommitmentReporter())[0] == 0x0110
    assert [line["exception"] for line in lines] == ["StoreUnavailable"]


def test_each_failure_has_its_reason() -> None:
    """Held, held under another class, and not held."""

    class Held(MemoryIndex):
        """Holds two instances."""

        def held(self, sop_instance_uids: Any) -> Any:
            """Give both, the second as a CT image."""
            first, second, _ = sop_instance_uids
            return {first: str(MRImageStorage), second: str(CTImageStorage)}

    answer = examine(read_request(action_event(question(3))), Held(FixedClock()))
    assert answer.event_type == 2
    [committed] = answer.information.ReferencedSOPSequence
    assert committed.ReferencedSOPInstanceUID == small_instance(0).SOPInstanceUID
    assert [item.FailureReason for item in answer.information.FailedSOPSequence] == [0x0119, 0x0112]
    assert answer.information.TransactionUID == "1.2.3"


@contextmanager
def sender(told: list[evt.Event], statuses: list[int] | None = None) -> Iterator[Peer]:
    """Run a sender that takes reports on a port of its own, and answers with given statuses first."""

    def take(event: evt.Event) -> tuple[int, None]:
        told.append(event)
        return (statuses.pop(0) if statuses else 0), None

    entity = AE(ae_title=str(SENDER))
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)])
    try:
        yield Peer(SENDER, "127.0.0.1", server.server_address[1], OUR_TITLE, timeout_s=2)
    finally:
        server.shutdown()


def ask(node: Receiving, on_report: Callable[[evt.Event], tuple[int, None]], then: Callable[[Any], None]) -> None:
    """Store one instance of two, ask about both, and go on with the association."""
    entity = AE(ae_title=str(SENDER))
    entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    entity.add_requested_context(StorageCommitmentPushModel)
    handlers = [(evt.EVT_N_EVENT_REPORT, on_report)]
    association = entity.associate("127.0.0.1", node.port, ae_title=str(OUR_TITLE), evt_handlers=handlers)
    assert association.send_c_store(small_instance(0)).Status == 0
    status, _ = association.send_n_action(question(), 1, StorageCommitmentPushModel, WELL_KNOWN_INSTANCE)
    assert status.Status == 0
    then(association)
    association.release()


def refuse_report(_event: evt.Event) -> tuple[int, None]:
    """Fail where no report may come."""
    raise AssertionError("a report on the wrong association")


def test_a_sender_without_an_address_is_told_where_it_asked(tmp_path: Path) -> None:
    """Right after the answer, and its transfers on the same association are not disturbed, however often it asks."""
    told: list[evt.Event] = []

    def take(event: evt.Event) -> tuple[int, None]:
        told.append(event)
        return 0, None

    def go_on(association: Any) -> None:
        for count in range(2, 5):
            assert all(association.send_c_store(small_instance(index)).Status == 0 for index in range(10))
            wait_until(lambda count=count: len(told) == count - 1, 5, "a report on the association")
            status, _ = association.send_n_action(question(), 1, StorageCommitmentPushModel, WELL_KNOWN_INSTANCE)
            assert status.Status == 0
        wait_until(lambda: len(told) == 4, 5, "the last report")

    with receiving(tmp_path) as node:
        ask(node, take, go_on)
    assert [event.event_type for event in told] == [2, 1, 1, 1]
    [missing] = told[0].event_information.FailedSOPSequence
    assert missing.ReferencedSOPInstanceUID == small_instance(1).SOPInstanceUID


def test_a_sender_with_an_address_is_called_there(tmp_path: Path) -> None:
    """Also after it has released its own association, and nothing comes on that one."""
    told: list[evt.Event] = []
    with sender(told) as peer, receiving(tmp_path, ReceiverOptions(OUR_TITLE, commitment_peers=(peer,))) as node:
        ask(node, refuse_report, lambda _association: None)
        wait_until(lambda: told, 5, "the report")
    [event] = told
    assert event.assoc.requestor.ae_title == OUR_TITLE
    assert event.event_type == 2
    assert event.event_information.TransactionUID == "1.2.3"


def test_a_sender_that_is_away_is_called_again() -> None:
    """It refuses, and takes the report the third time."""
    told: list[evt.Event] = []
    with sender(told, statuses=[0x0110, 0x0110]) as peer:
        event = action_event(question())
        reporter = CommitmentReporter([peer], pauses_s=(0.01, 0.01))
        assert handle_commitment(event, MemoryIndex(FixedClock()), reporter)[0] == 0
        wait_until(lambda: len(told) == 3, 10, "the third call")


def test_a_sender_that_stays_away_holds_up_nothing(index: MemoryIndex) -> None:
    """The handler returns at once; one report more than may be under way is refused; a stop ends the waiting."""
    nobody = Peer(SENDER, "127.0.0.1", 1, OUR_TITLE, timeout_s=1)
    reporter = CommitmentReporter([nobody], pauses_s=(60.0,))
    statuses = [handle_commitment(action_event(question()), index, reporter)[0] for _ in range(17)]
    assert statuses == [0] * commitment_reports.MOST_AT_ONCE + [0x0213]
    reporter.stop()
    free: list[int] = []

    def one_more() -> bool:
        free.append(handle_commitment(action_event(question()), index, reporter)[0])
        return free[-1] == 0

    wait_until(one_more, 10, "room for one more")


def test_a_sender_that_takes_no_reports_is_no_error_of_ours(tmp_path: Path) -> None:
    """It hangs up as soon as it has asked: the receiver serves the next one."""
    asked = Event()

    def hang_up(association: Any) -> None:
        association.abort()
        asked.set()

    with receiving(tmp_path) as node:
        for _ in range(3):
            ask(node, lambda _event: (0, None), hang_up)
        assert asked.is_set()
        ask(node, lambda _event: (0, None), lambda _association: None)
