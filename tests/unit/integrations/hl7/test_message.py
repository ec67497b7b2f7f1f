"""A report as an HL7 v2 message that fits the tables of v2.5.1, whatever a name holds."""

from __future__ import annotations

import base64
from dataclasses import replace

import hl7
import pytest

from inference.domain.result import NameGroup, Report, Subject
from inference.domain.review import Review
from integrations.hl7.message import Sending, control_id, oru_r01
from tests.support.hl7_listener import checked, fields
from tests.support.reports import (
    PDF,
    accepted,
    amended,
    findings_report,
    full_report,
    make_report,
    refused_report,
    tumor_report,
)

NAMES = (
    NameGroup("ABC", "Hong^Kim", "Gil|dong\\", middle="M", prefix="Dr", suffix="PhD"),
    NameGroup("IDE", "洪", "吉洞"),
    NameGroup("SYL", "홍", "길~동&"),
)


def awkward() -> Report:
    """Give a report of somebody whose name holds every character with a meaning."""
    report = full_report()
    return replace(report, subject=replace(report.subject, names=NAMES, patient_id="a|b^c&d~e\\f"))


def nobody() -> Report:
    """Give a report of somebody unknown."""
    report = full_report()
    source = replace(report.source, started_at=None, accession_number="")
    return replace(report, subject=Subject("", "", "", "", "", ""), source=source, lineage_uid=None)


@pytest.mark.parametrize(
    ("report", "review", "sending"),
    [
        (make_report(), None, Sending()),
        (awkward(), None, Sending()),
        (nobody(), None, Sending()),
        (full_report(), accepted(full_report()), Sending()),
        (full_report(), amended(full_report(), full_report().measurements[0].tracking_uid), Sending()),
        (refused_report(), None, Sending()),
        (findings_report(), None, Sending()),
        (tumor_report(), None, Sending()),
        (tumor_report(found=False), None, Sending(replaces_reviewed=True)),
        (full_report(), None, Sending(withdrawn="left and right were exchanged", facility="Node & Co")),
    ],
    ids=[
        *("plain", "awkward", "nobody", "accepted", "amended", "refused"),
        *("findings", "tumour", "replaces", "withdrawn"),
    ],
)
def test_every_message_fits_the_tables_and_another_parser(
    report: Report, review: Review | None, sending: Sending
) -> None:
    """Structure, data types and lengths by hl7apy; and python-hl7 reads the same segments."""
    message = oru_r01(report, review, sending)
    assert checked(message).name == "ORU_R01"
    assert [str(one[0]) for one in hl7.parse(message)][:5] == ["MSH", "PID", "PV1", "ORC", "OBR"]
    assert message == oru_r01(report, review, sending)


def test_names_come_back_as_they_were() -> None:
    """Each form by itself, every special character escaped, Hangul and Hanja as they are."""
    parsed = hl7.parse(oru_r01(awkward()))
    (pid,) = parsed.segments("PID")
    forms = [
        [parsed.unescape(str(form(n))) for n in (1, 2, 3, 4, 5)] + [str(form(8))]
        if hasattr(form, "separator")
        else []
        for form in pid[5]
    ]
    assert forms == [
        ["Hong^Kim", "Gil|dong\\", "M", "PhD", "Dr", "A"],
        ["洪", "吉洞", "", "", "", "I"],
        ["홍", "길~동&", "", "", "", "P"],
    ]
    assert parsed.unescape(str(pid[3][0][0])) == "a|b^c&d~e\\f"


def test_the_head_says_what_and_in_which_characters() -> None:
    """Version, structure, and the time of the analysis, for no clock is read."""
    (msh,) = fields(oru_r01(full_report(), sending=Sending(receiving_application="RIS")), "MSH")
    assert (msh[2], msh[3], msh[5], msh[9]) == ("^~\\&", "NEURONOVA", "RIS", "ORU^R01^ORU_R01")
    assert (msh[7], msh[12], msh[18]) == ("20260102123000+0000", "2.5.1", "UNICODE UTF-8")


def test_measurements_have_unit_usual_range_and_flag() -> None:
    """Numbers of one structure share a sub-id; the structure is the alternate identifier."""
    found = [one for one in fields(oru_r01(full_report()), "OBX") if one[2] == "NM"]
    assert found[0][3:9] == [
        "118565006^Left thalamus: Volume^SCT^42695009^Thalamus^SCT",
        *("1", "15.1235", "mL^mL^UCUM", "4.5-9", "H"),
    ]
    assert [(one[4], one[5], one[7], one[8]) for one in found[1:]] == [
        ("1", "31.25", "", ""),
        ("1", "18", "", ""),
        ("2", "7.5", "8-12.5", "L"),
        ("3", "22.6235", "", ""),
    ]
    places = [(one[3], one[4]) for one in found]
    assert len(set(places)) == len(places)


def test_order_accession_number_and_study_time_are_told() -> None:
    """The filler number is the lineage's: no status of ours touches anybody's order."""
    (obr,) = fields(oru_r01(full_report()), "OBR")
    assert obr[3] == "2.25.600.1^NEURONOVA"
    assert (obr[4], obr[7], obr[18]) == ("24590-2^Brain MRI^LN", "20260102093000+0900", "ACC-1")
    (later,) = fields(oru_r01(full_report(hours=5)), "OBR")
    assert later[3] == obr[3]


def statuses(message: str) -> tuple[str, set[str]]:
    """Give the status of the order, and those of the observations."""
    (obr,) = fields(message, "OBR")
    return obr[25], {one[11] for one in fields(message, "OBX")}


def test_the_status_says_how_far_a_result_stands() -> None:
    """Preliminary, final, corrected, none, wrong (tables 0123 and 0085)."""
    report = full_report()
    assert statuses(oru_r01(report)) == ("P", {"P"})
    assert statuses(oru_r01(report, accepted(report))) == ("F", {"F"})
    assert statuses(oru_r01(report, sending=Sending(replaces_reviewed=True))) == ("C", {"C"})
    assert statuses(oru_r01(refused_report())) == ("X", {"X"})
    assert statuses(oru_r01(report, sending=Sending(withdrawn="it was wrong"))) == ("C", {"W"})


def test_what_a_person_took_out_is_deleted_under_its_own_sub_id() -> None:
    """Structure and total; the rest is a correction, and the reviewer is named."""
    report = full_report()
    message = oru_r01(report, amended(report, report.measurements[0].tracking_uid))
    assert [(one[4], one[11]) for one in fields(message, "OBX") if one[2] == "NM"] == [
        *(("1", "D"), ("1", "D"), ("1", "D"), ("2", "C"), ("3", "D")),
    ]
    (obr,) = fields(message, "OBR")
    assert (obr[25], obr[32]) == ("C", "lee&이&서연")
    assert "No sign of a tumour <5 mm." in fields(message, "OBX")[0][5]
    assert "ED" not in [one[2] for one in fields(message, "OBX")]


def test_findings_are_coded_and_have_their_probability() -> None:
    """Present or absent; the probability under the same sub-id."""
    found = fields(oru_r01(findings_report()), "OBX")[2:]
    assert [(one[2], one[4], one[5]) for one in found] == [
        ("CWE", "1", "52101004^Present^SCT"),
        ("NM", "1", "93.4"),
        ("CWE", "2", "52101004^Present^SCT"),
        ("NM", "2", "70"),
        ("CWE", "3", "272519000^Absent^SCT"),
    ]


def test_a_refusal_says_why() -> None:
    """In words and by its code."""
    words, _, reason = fields(oru_r01(refused_report()), "OBX")
    assert words[5].startswith("Not analysed by Brain structures 1.2.0: two slices are missing.")
    assert reason[5] == "geometry.gap^two slices are missing^99NEURONOVA"


def test_the_pdf_is_carried_whole() -> None:
    """As an encapsulated document, Base64."""
    document = fields(oru_r01(full_report()), "OBX")[-1]
    assert document[2] == "ED"
    *how, data = document[5].split("^")
    assert how == ["", "AP", "PDF", "Base64"]
    assert base64.b64decode(data) == PDF


def test_the_control_id_tells_messages_apart_and_repeats_together() -> None:
    """At most 20 characters; another one for each review and each state."""
    report = full_report()
    wanted = [
        control_id(report),
        control_id(report, accepted(report)),
        control_id(report, accepted(report, hours=3)),
        control_id(report, sending=Sending(withdrawn="it was wrong")),
        control_id(report, sending=Sending(replaces_reviewed=True)),
    ]
    assert len(set(wanted)) == 5
    assert {len(one) for one in wanted} == {20}
    assert control_id(full_report()) == wanted[0] == fields(oru_r01(report), "MSH")[0][10]


def test_lines_and_control_characters_in_a_text_break_no_segment() -> None:
    """A reader's conclusion may have several lines."""
    report = full_report()
    review = replace(accepted(report), conclusion="first line\r\nsecond\x07 end\x1c\x0b")
    message = oru_r01(report, review)
    assert "first line\\.br\\second end" in fields(message, "OBX")[0][5]
    assert not set(message) & {"\n", "\x1c", "\x0b"}
