"""Storage commitment that we ask for, against archives that report as they are told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from inference.domain.identifiers import AETitle
from inference.errors import NotCommitted, PeerRefused, PeerUnavailable
from integrations.orthanc.commitment import WELL_KNOWN_INSTANCE, StorageCommitment
from integrations.orthanc.commitment_reports import CommitmentReports, ListenAddress
from integrations.orthanc.peer import Peer
from integrations.system import RandomUIDSource
from tests.support.artifacts import artifact

OUR_TITLE = AETitle("NEURONOVA")
ANYWHERE = ListenAddress("127.0.0.1", 0)


@pytest.fixture
def reports() -> Iterator[CommitmentReports]:
    """Give where archives report."""
    reports = CommitmentReports(ANYWHERE, OUR_TITLE)
    yield reports
    reports.close()


@contextmanager
def archive(on_action: Callable[[evt.Event], tuple[int, None]] | None) -> Iterator[Peer]:
    """Run an archive; one without a handler does not offer storage commitment."""
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(StorageCommitmentPushModel if on_action else "1.2.840.10008.1.1")
    handlers = [(evt.EVT_N_ACTION, on_action)] if on_action else []
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer(AETitle("ARCHIVE"), "127.0.0.1", server.server_address[1], OUR_TITLE, timeout_s=2)
    finally:
        server.shutdown()


def answer_to(request: Dataset, failures: dict[str, int] | None = None) -> Dataset:
    """Give the event information for a request; ``failures`` has reasons by SOP Instance UID."""
    answer = Dataset()
    answer.TransactionUID = request.TransactionUID
    good, bad = [], []
    for item in request.ReferencedSOPSequence:
        reason = (failures or {}).get(item.ReferencedSOPInstanceUID)
        if reason:
            item.FailureReason = reason
        (bad if reason is not None else good).append(item)
    answer.ReferencedSOPSequence = good
    if bad:
        answer.FailedSOPSequence = bad
    return answer


def report_to(port: int, information: Dataset | None, title: str = "NEURONOVA") -> Any:
    """Open an association as an archive does, report, and give the status."""
    entity = AE(ae_title="ARCHIVE")
    entity.add_requested_context(StorageCommitmentPushModel, ExplicitVRLittleEndian)
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    association = entity.associate("127.0.0.1", port, ae_title=title, ext_neg=[role])
    assert association.is_established
    status, _ = association.send_n_event_report(information, 1, StorageCommitmentPushModel, WELL_KNOWN_INSTANCE)
    association.release()
    return status.get("Status")


def report_later(reports: CommitmentReports, failures: dict[str, int] | None = None) -> Any:
    """Make an N-ACTION handler that answers and then reports on a new association, under any title."""

    def on_action(event: evt.Event) -> tuple[int, None]:
        answer = answer_to(event.action_information, failures)
        Thread(target=report_to, args=(reports.port, answer, "SOMETHING"), daemon=True).start()
        return 0, None

    return on_action


def commitment(peer: Peer, reports: CommitmentReports, patience_s: float = 5) -> StorageCommitment:
    """Give the adapter."""
    return StorageCommitment(peer, reports, RandomUIDSource(), patience_s)


def test_a_report_on_a_new_association(reports: CommitmentReports) -> None:
    """The usual way, whichever of our titles the archive calls."""
    with archive(report_later(reports)) as peer:
        commitment(peer, reports).confirm([artifact(0), artifact(1)])


def test_a_report_on_our_own_association(reports: CommitmentReports) -> None:
    """The other way that PS3.4 section J.3.3 allows."""

    def on_action(event: evt.Event) -> tuple[int, None]:
        answer = answer_to(event.action_information)
        arguments = (answer, 1, StorageCommitmentPushModel, WELL_KNOWN_INSTANCE)

        def report(sent: evt.Event) -> None:
            sent.assoc.unbind(evt.EVT_PDU_SENT, report)
            Thread(target=event.assoc.send_n_event_report, args=arguments, daemon=True).start()

        event.assoc.bind(evt.EVT_PDU_SENT, report)
        return 0, None

    with archive(on_action) as peer:
        commitment(peer, reports).confirm([artifact()])


@pytest.mark.parametrize(
    ("reason", "said"),
    [(0x0112, "0112 no such object"), (0x0122, "0122 SOP class not supported"), (0x0ABC, "0ABC"), (0, "0000")],
)
def test_the_reason_of_a_failure_is_named(reports: CommitmentReports, reason: int, said: str) -> None:
    """One object of two is not committed, and the message says why."""
    lost = artifact(1)
    failures = {str(lost.identity.sop_instance_uid): reason}
    with archive(report_later(reports, failures)) as peer, pytest.raises(NotCommitted, match=f"1 of 2.*{said}"):
        commitment(peer, reports).confirm([artifact(0), lost])


def test_what_the_report_leaves_out_is_not_committed(reports: CommitmentReports) -> None:
    """Silence about an object is no promise."""

    def on_action(event: evt.Event) -> tuple[int, None]:
        request = event.action_information
        del request.ReferencedSOPSequence[0]
        Thread(target=report_to, args=(reports.port, answer_to(request)), daemon=True).start()
        return 0, None

    with archive(on_action) as peer, pytest.raises(NotCommitted, match="1 of 2"):
        commitment(peer, reports).confirm([artifact(0), artifact(1)])


def test_requests_that_lead_to_nothing(reports: CommitmentReports) -> None:
    """A refused request is worth another try; without a report nothing is committed; some archives never can."""
    for status, error in ((0x0110, PeerUnavailable), (0x0000, NotCommitted)):
        with archive(lambda _event, status=status: (status, None)) as peer, pytest.raises(error):
            commitment(peer, reports, patience_s=0.2).confirm([artifact()])
    with archive(None) as peer, pytest.raises(PeerRefused):
        commitment(peer, reports).confirm([artifact()])


def test_nothing_to_confirm_calls_nobody(reports: CommitmentReports) -> None:
    """No artifacts, no association, no port."""
    commitment(Peer(AETitle("NOBODY"), "127.0.0.1", 1, OUR_TITLE), reports).confirm([])


def test_threads_that_wait_at_the_same_time_get_their_own_reports(reports: CommitmentReports) -> None:
    """All four ask before the first report comes; only one object is committed."""
    together = Barrier(4, timeout=10)

    def on_action(event: evt.Event) -> tuple[int, None]:
        request = event.action_information
        uid = request.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        failures = {} if uid == good else {uid: 0x0112}
        together.wait()
        Thread(target=report_to, args=(reports.port, answer_to(request, failures)), daemon=True).start()
        return 0, None

    good = str(artifact(0).identity.sop_instance_uid)

    def outcome(index: int) -> bool:
        try:
            commitment(peer, reports).confirm([artifact(index)])
        except NotCommitted:
            return False
        return True

    with archive(on_action) as peer, ThreadPoolExecutor(4) as threads:
        assert list(threads.map(outcome, range(4))) == [True, False, False, False]


def test_reports_that_nobody_awaits_do_no_harm(reports: CommitmentReports) -> None:
    """One about a foreign transaction, one torn, one empty, one too long: answered, and the next one still works."""
    request = Dataset()
    request.TransactionUID = "1.2.3"
    request.ReferencedSOPSequence = []
    torn = Dataset()
    torn.TransactionUID = "1.2.3"
    torn.FailedSOPSequence = [Dataset()]
    with reports.expecting("1.2.4"):
        assert report_to(reports.port, answer_to(request)) == 0x0000
        assert report_to(reports.port, torn) == 0x0110
        assert report_to(reports.port, None) == 0x0110
        torn.TransactionUID = "1.2.4"
        torn.FailedSOPSequence = [Dataset() for _ in range(40_000)]
        assert report_to(reports.port, torn) == 0x0110
    with archive(report_later(reports)) as peer:
        commitment(peer, reports).confirm([artifact()])


def test_a_port_that_somebody_else_has_is_worth_another_try() -> None:
    """A worker that is about to end lets go of it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        reports = CommitmentReports(ListenAddress("127.0.0.1", taken.getsockname()[1]), OUR_TITLE)
        with pytest.raises(NotCommitted, match="cannot listen"):
            commitment(Peer(AETitle("ARCHIVE"), "127.0.0.1", 1, OUR_TITLE), reports).confirm([artifact()])
    with reports.expecting("1.2.3"):
        assert reports.port
    reports.close()
