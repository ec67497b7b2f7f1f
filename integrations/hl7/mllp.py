"""Sends reports over MLLP (HL7 Transport Specification, Minimal Lower Layer Protocol) to one receiver.

The library's own client has no time limits and reads one packet of an answer, so the few lines of socket are ours.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import hl7

from inference.domain.result import Report
from inference.domain.review import Review
from inference.errors import HL7Rejected, HL7Unavailable
from inference.ports import ReportSink
from integrations.hl7.message import Sending, control_id, oru_r01
from integrations.lineages import Entry, LineageFolder

START: Final = b"\x0b"
END: Final = b"\x1c\x0d"
ACCEPTED: Final = frozenset({"AA", "CA"})
REFUSED: Final = frozenset({"AE", "AR", "CE", "CR"})
"""Acknowledgment codes (table 0008)."""
PASSING: Final = frozenset({"206", "207"})
"""Error codes (table 0357) of a receiver that cannot at the moment: record locked, internal error."""
LONGEST_ANSWER: Final = 64 * 1024

_CODE: Final = re.compile(r"[A-Za-z0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where messages go, and how patient we are.

    Parameters
    ----------
    host, port
        Address.
    connect_timeout_s, answer_timeout_s
        Longest wait for the connection, and for each part of the answer.
    """

    host: str
    port: int
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 30.0


class MLLPReportSink(ReportSink):
    """Tells a receiver of each report, once; it cannot be asked, so what it was told is remembered.

    Parameters
    ----------
    receiver
        Where messages go.
    memory
        What the last report of each lineage was.
    sending
        The parties; ourselves and nobody in particular by default.
    """

    def __init__(self, receiver: Receiver, memory: LineageFolder, sending: Sending | None = None) -> None:
        self._receiver = receiver
        self._memory = memory
        self._sending = sending or Sending()

    def store(self, report: Report) -> str:
        """Send a report that is not superseded; what the receiver took is not sent again.

        Returns
        -------
        str
            Address of the receiver and the lineage's number there.

        Raises
        ------
        HL7Unavailable
            If the receiver does not answer, or not to this message.
        HL7Rejected
            If it refuses the message.
        """
        with _remembering():
            last = self._memory.last(report)
            if last is None or _gives_way(last, report):
                replaces = last is not None and last.reviewed_at is not None and not last.withdrawn
                self._send(report, None, replace(self._sending, replaces_reviewed=replaces))
                self._memory.note(report)
        return self._address(report)

    def review(self, report: Report, review: Review) -> str:
        """Send the report as reviewed; also where it was not sent before, for the message says all.

        Nothing is sent of a report that was withdrawn, replaced or reviewed later, or that says why there is none.

        Raises
        ------
        HL7Unavailable, HL7Rejected
            As ``store``.
        """
        with _remembering():
            last = self._memory.last(report)
            if report.refusal is None and _takes(last, report, review):
                self._send(report, review, self._sending)
                self._memory.note(report, reviewed_at=review.at)
        return self._address(report)

    def withdraw(self, report: Report, reason: str) -> None:
        """Send that the result does not stand, where it was sent and nothing has taken its place.

        Raises
        ------
        HL7Unavailable, HL7Rejected
            As ``store``.
        """
        with _remembering():
            last = self._memory.last(report)
            if last is not None and last.report_uid == report.report_uid and not last.withdrawn:
                self._send(report, None, replace(self._sending, withdrawn=reason))
                self._memory.note(report, withdrawn=True)

    def _send(self, report: Report, review: Review | None, sending: Sending) -> None:
        message = oru_r01(report, review, sending)
        _judge(self._exchange(message), control_id(report, review, sending))

    def _exchange(self, message: str) -> bytes:
        """Send a message and give the answer without its frame."""
        receiver = self._receiver
        address = (receiver.host, receiver.port)
        try:
            with socket.create_connection(address, receiver.connect_timeout_s) as link:
                link.settimeout(receiver.answer_timeout_s)
                link.sendall(START + message.encode() + END)
                return _read(link)
        except OSError as error:
            raise HL7Unavailable(f"the HL7 receiver does not answer ({type(error).__name__})") from error

    def _address(self, report: Report) -> str:
        return f"mllp://{self._receiver.host}:{self._receiver.port}/{report.lineage_uid or report.report_uid}"


@contextmanager
def _remembering() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HL7Unavailable(f"what was sent cannot be remembered ({type(error).__name__})") from error


def _gives_way(last: Entry, report: Report) -> bool:
    """Tell whether a report is news; a reviewed result does not give way to none."""
    if last.report_uid == report.report_uid or last.is_after(report):
        return False
    return report.refusal is None or last.reviewed_at is None or last.withdrawn


def _takes(last: Entry | None, report: Report, review: Review) -> bool:
    """Tell whether the last that the receiver knows takes a review of a report."""
    if last is None:
        return True
    if last.report_uid != report.report_uid:
        return not last.is_after(report)
    return not last.withdrawn and (last.reviewed_at is None or last.reviewed_at < review.at)


def _read(link: socket.socket) -> bytes:
    answer = b""
    while END not in answer and len(answer) < LONGEST_ANSWER:
        part = link.recv(4096)
        if not part:
            break
        answer += part
    return answer.partition(END)[0].lstrip(START)


def _judge(answer: bytes, sent: str) -> None:
    """Read the acknowledgment (section 2.9); its texts may quote the message and are not told."""
    try:
        acknowledgment = hl7.parse(answer.decode())
        (msa,) = acknowledgment.segments("MSA")
        code, known = str(msa[1]), str(msa[2])
    except (hl7.HL7Exception, LookupError, ValueError) as error:
        raise HL7Unavailable("the HL7 receiver answers, but not as to a message") from error
    if known != sent or code not in ACCEPTED | REFUSED:
        raise HL7Unavailable("the HL7 receiver answers to another message")
    if code in REFUSED:
        faults = _faults(acknowledgment)
        kind = HL7Unavailable if PASSING & set(faults) else HL7Rejected
        raise kind(f"the HL7 receiver answers {' '.join([code, *faults])}")


def _faults(acknowledgment: hl7.Message) -> list[str]:
    """Give the error codes (ERR-3)."""
    try:
        codes = [str(err[3]).split("^")[0] for err in acknowledgment.segments("ERR")]
    except LookupError:
        return []
    return sorted({code for code in codes if _CODE.fullmatch(code)})
