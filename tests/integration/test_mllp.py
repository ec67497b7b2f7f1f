"""Reports over MLLP to real listeners, of which one checks what it takes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from inference.errors import HL7Rejected, HL7Unavailable, ReportError
from integrations.hl7.mllp import MLLPReportSink, Receiver
from integrations.lineages import LineageFolder
from tests.support.hl7_listener import acknowledgment, answering, fields, listening
from tests.support.reports import Names, accepted, amended, full_report, make_report, refused_report

pytestmark = pytest.mark.integration


def sink_to(port: int, folder: Path, timeout_s: float = 10.0) -> MLLPReportSink:
    """Give a sink that sends to a port of this machine."""
    return MLLPReportSink(Receiver("127.0.0.1", port, 5.0, timeout_s), LineageFolder(folder))


def told(received: list[str]) -> list[str]:
    """Give the status of each message that was received."""
    return [fields(message, "OBR")[0][25] for message in received]


def framed(code: str, error: str = "") -> bytes:
    """Give an answer to whatever comes."""
    return b"\x0b" + acknowledgment("CONTROL-ID", code, error).encode() + b"\x1c\r"


def test_a_report_arrives_whole_and_once(tmp_path: Path) -> None:
    """Hangul too; what was acknowledged is not sent again."""
    report = full_report()
    with listening() as listener:
        sink = sink_to(listener.port, tmp_path)
        addresses = {sink.store(report) for _ in range(3)}
        assert addresses == {f"mllp://127.0.0.1:{listener.port}/2.25.600.1"}
    (message,) = listener.received
    assert fields(message, "PID")[0][5] == "홍^길동^^^^^L^A"


def test_a_review_a_new_run_and_a_withdrawal_are_told_in_turn(tmp_path: Path) -> None:
    """Preliminary, final, corrected by an unreviewed run, wrong; repeats of any send nothing."""
    first, second = full_report(), full_report(Names(report=2), hours=5)
    with listening() as listener:
        sink = sink_to(listener.port, tmp_path)
        for _ in range(2):
            sink.store(first)
            sink.review(first, accepted(first))
        for _ in range(2):
            sink.store(second)
            sink.store(first)
            sink.review(first, accepted(first, hours=9))
        for _ in range(2):
            sink.withdraw(first, "it was wrong")
            sink.withdraw(second, "it was wrong")
            sink.store(second)
    assert told(listener.received) == ["P", "F", "C", "C"]
    last = fields(listener.received[-1], "OBX")
    assert {one[11] for one in last} == {"W"}
    assert "that replaces a reviewed one" in fields(listener.received[2], "OBX")[0][5]


def test_an_earlier_review_that_comes_late_is_not_told(tmp_path: Path) -> None:
    """The last word stands."""
    report = full_report()
    with listening() as listener:
        sink = sink_to(listener.port, tmp_path)
        sink.review(report, amended(report, report.measurements[0].tracking_uid, hours=3))
        sink.review(report, accepted(report, hours=2))
    assert told(listener.received) == ["C"]


def test_a_refusal_is_told_until_there_is_a_result(tmp_path: Path) -> None:
    """And none takes a reviewed result away; what was never sent is not withdrawn."""
    refused, result = refused_report(), full_report(Names(report=2), hours=1)
    later = refused_report(Names(report=3), hours=5)
    with listening() as listener:
        sink = sink_to(listener.port, tmp_path)
        sink.store(refused)
        sink.review(refused, accepted(refused))
        sink.store(result)
        sink.review(result, accepted(result))
        sink.store(later)
        sink.withdraw(make_report(Names(report=9)), "it was wrong")
    assert told(listener.received) == ["X", "P", "F"]


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (framed("AE", "101"), HL7Rejected, "AE 101"),
        (framed("AR"), HL7Rejected, "AR"),
        (framed("CR", "odd code SENTINEL"), HL7Rejected, "CR"),
        (framed("AE", "207"), HL7Unavailable, "AE 207"),
        (framed("AA").replace(b"CONTROL-ID", b"OTHER"), HL7Unavailable, "another message"),
        (b"\x0bhello\x1c\r", HL7Unavailable, "not as to a message"),
        (b"\x0bMSH|^~\\&|RIS\r\x1c\r", HL7Unavailable, "not as to a message"),
        (b"\xff" * 70_000, HL7Unavailable, "not as to a message"),
        (b"", HL7Unavailable, "not as to a message"),
        (None, HL7Unavailable, "does not answer"),
    ],
    ids=["AE", "AR", "CR", "busy", "other", "text", "no MSA", "endless", "closed", "silent"],
)
def test_every_answer_has_its_error_and_a_repeat_is_the_same_message(
    tmp_path: Path, answer: bytes | None, error: type[ReportError], says: str
) -> None:
    """Nothing of the receiver's texts is told; what was not taken is sent again under the same control id."""
    report = full_report()
    with answering(answer, framed("AA")) as listener:
        sink = sink_to(listener.port, tmp_path, 10.0 if answer is not None else 0.3)
        with pytest.raises(error, match=says) as caught:
            sink.store(report)
        assert "SENTINEL" not in str(caught.value)
        if answer is None:
            return
        sink.store(report)
    assert listener.received[0] == listener.received[1]


def test_a_receiver_that_is_away_is_unavailable(tmp_path: Path) -> None:
    """Nothing listens there any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(HL7Unavailable, match="does not answer"):
        sink_to(port, tmp_path).store(full_report())


def test_a_memory_that_cannot_be_read_sends_nothing(tmp_path: Path) -> None:
    """Better late than twice."""
    (tmp_path / "file").write_text("in the way")
    with listening() as listener:
        sink = sink_to(listener.port, tmp_path / "file" / "memory")
        with pytest.raises(HL7Unavailable, match="remembered"):
            sink.store(full_report())
    assert listener.received == []
