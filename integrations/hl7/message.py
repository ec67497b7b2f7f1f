"""A report as an HL7 v2.5.1 message: Unsolicited Observation, ORU^R01 (HL7 v2.5.1 section 7.3.1)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from inference.domain.result import NameGroup, Report
from inference.domain.review import Review, Verdict
from integrations import report_text
from integrations.hl7.observations import Statuses, observation_segments
from integrations.hl7.segments import ENCODING_CHARACTERS, coded, components, escape, segment, timestamp
from integrations.standing import standing

APPLICATION: Final = "NEURONOVA"
END: Final = "\r"
"""Ends each segment."""
CONTROL_ID_LENGTH: Final = 20
"""Of MSH-10 in HL7 v2.5.1."""

_STATUSES: Final = {
    "preliminary": Statuses("P", "P"),
    "final": Statuses("F", "F"),
    "corrected": Statuses("C", "C"),
    "refused": Statuses("X", "X"),
    "withdrawn": Statuses("C", "W"),  # table 0123 has no word for a result that was wrong
}
_REPRESENTATIONS: Final = {"ABC": "A", "IDE": "I", "SYL": "P"}
"""Table 0465 by component group."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What a message is for, and between whom.

    Parameters
    ----------
    replaces_reviewed
        Whether a person had reviewed the earlier result that this one takes the place of.
    withdrawn
        Why the result does not stand; empty where it does.
    facility
        Sending facility (MSH-4).
    receiving_application, receiving_facility
        MSH-5 and MSH-6.
    """

    replaces_reviewed: bool = False
    withdrawn: str = ""
    facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""


def oru_r01(report: Report, review: Review | None = None, sending: Sending = Sending()) -> str:
    """Write the message that tells of a report.

    Its status is P until a person has reviewed it; then F, or C where it was amended; X where nothing was analysed.
    A result that does not stand is corrected (OBR-25 C) with every observation posted as wrong (OBX-11 W). All
    messages of a lineage have one filler order number, which is ours and no other's: nobody's order is cancelled.

    Parameters
    ----------
    report
        What is told.
    review
        Who reviewed it; None before anybody did.
    sending
        What the message is for, and between whom.

    Returns
    -------
    str
        The message; the same input gives the same one.
    """
    statuses = _STATUSES[_standing(report, review, sending)]
    head = [_msh(report, review, sending), _pid(report), segment("PV1", {1: "1", 2: "U"}), _orc(report, review)]
    told = observation_segments(report, review, statuses, _conclusion(report, review, sending))
    lines = [*head, _obr(report, review, statuses), *told]
    return "".join(f"{line}{END}" for line in lines)


def control_id(report: Report, review: Review | None = None, sending: Sending = Sending()) -> str:
    """Give the Message Control ID (MSH-10), derived, so that a receiver recognises a repeat.

    Parameters
    ----------
    report, review, sending
        As for ``oru_r01``.
    """
    word = "" if review is None else f"{review.verdict} {review.reviewer} {review.at.isoformat()}"
    what = f"{report.report_uid} {report.produced_at.isoformat()} {_standing(report, review, sending)} {word}"
    return hashlib.sha256(what.encode()).hexdigest()[:CONTROL_ID_LENGTH].upper()


def _standing(report: Report, review: Review | None, sending: Sending) -> str:
    if sending.withdrawn:
        return "withdrawn"
    if report.refusal is not None:
        return "refused"
    if review is not None:
        return "final" if review.verdict is Verdict.ACCEPT else "corrected"
    return "corrected" if sending.replaces_reviewed else "preliminary"


def _conclusion(report: Report, review: Review | None, sending: Sending) -> str:
    opening = report_text.REPLACES_REVIEWED if sending.replaces_reviewed else report_text.NOTICE
    if sending.withdrawn:  # a person may have reviewed it
        opening = report_text.RESEARCH
    left = report if review is None else standing(report, review.excluded)
    words = report_text.conclusion(left, review, opening)
    return f"{report_text.sentence(f'Withdrawn: {sending.withdrawn}')} {words}" if sending.withdrawn else words


def _msh(report: Report, review: Review | None, sending: Sending) -> str:
    made = report.produced_at if review is None else review.at
    fields = {
        1: ENCODING_CHARACTERS,  # the separator itself is the first field
        2: APPLICATION,
        3: escape(sending.facility),
        4: escape(sending.receiving_application),
        5: escape(sending.receiving_facility),
        6: timestamp(made),
        8: "ORU^R01^ORU_R01",
        9: control_id(report, review, sending),
        10: "P",
        11: "2.5.1",
        17: "UNICODE UTF-8",
    }
    return segment("MSH", fields)


def _pid(report: Report) -> str:
    subject = report.subject
    if subject.patient_id:
        known_as = components(subject.patient_id, "", "", subject.issuer, "MR")
    else:  # known only as the patient of this study
        known_as = components(report.source.study_instance_uid, "", "", APPLICATION, "U")
    groups = subject.names or (NameGroup("ABC", subject.family_name, subject.given_name),)
    fields = {
        1: "1",
        3: known_as,
        5: "~".join(map(_name, groups)),
        7: subject.birth_date.replace("-", ""),
        8: subject.sex or "U",
    }
    return segment("PID", fields)


def _name(group: NameGroup) -> str:
    """Write one form of a name (data type XPN), or that it is not known."""
    parts = (group.family, group.given, group.middle, group.suffix, group.prefix)
    if not any(parts):
        return components(*parts, "", "U")
    return components(*parts, "", "L", _REPRESENTATIONS.get(group.representation, "A"))


def _filler(report: Report) -> str:
    return components(report.lineage_uid or report.report_uid, APPLICATION)


def _orc(report: Report, review: Review | None) -> str:
    changed = report.produced_at if review is None else review.at
    return segment("ORC", {1: "RE", 3: _filler(report), 9: timestamp(changed)})


def _obr(report: Report, review: Review | None, statuses: Statuses) -> str:
    changed = report.produced_at if review is None else review.at
    fields = {
        1: "1",
        3: _filler(report),
        4: coded(report.procedure),
        7: timestamp(report.source.started_at),
        18: escape(report.source.accession_number),
        22: timestamp(changed),
        24: "RAD",
        25: statuses.order,
    }
    if review is not None:
        person = components(review.reviewer, *report_text.reviewer_parts(review), separator="&")
        fields[32] = person
    return segment("OBR", fields)
