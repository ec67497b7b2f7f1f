"""What is taken over from a source is decoded, repaired and otherwise unchanged."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.charsets import settle
from inference.domain.charsets import LATIN_1
from inference.encoding.source import TYPE_2, describe_series, describe_subject, normalise
from tests.support.sources import HANGUL_NAME, VARIANTS, korean, seoul_time
from tests.support.synthetic_series import SeriesOptions, axial_grid, make_instance, revision_of, write_series


def header(options: SeriesOptions | None = None, charset: str = LATIN_1) -> Dataset:
    """Give a header as it is read from a file, so that its elements are raw."""
    import numpy as np

    chosen = options or SeriesOptions()
    data_set = make_instance(np.zeros((4, 5)), axial_grid((3, 4, 5)), 0, chosen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if chosen.edit is not None:
            chosen.edit(data_set, 0)
        buffer = BytesIO()
        data_set.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    read = dcmread(buffer, stop_before_pixels=True)
    settle(read, charset)
    return read


def test_a_korean_name_survives_in_utf_8() -> None:
    """All three component groups are decoded, and the text is written as ISO_IR 192."""
    normal = normalise(header(SeriesOptions(edit=korean)))
    assert str(normal.PatientName) == HANGUL_NAME
    assert normal.StudyDescription == "뇌 검사"
    assert normal.SpecificCharacterSet == "ISO_IR 192"


def test_a_source_without_charset_is_read_in_the_senders() -> None:
    """Raw EUC-KR bytes are read right when the default says so."""
    raw = header(VARIANTS["no character set, EUC-KR"], "ISO 2022 IR 149")
    assert str(normalise(raw).PatientName) == "홍^길동"


def test_missing_attributes_of_type_2_are_there_and_empty() -> None:
    """Encoders may ask for any of them."""
    normal = normalise(header(VARIANTS["missing type 2"]))
    assert {keyword: str(normal[keyword].value or "") for keyword in TYPE_2} == dict.fromkeys(TYPE_2, "")


def test_broken_values_are_left_out_or_repaired() -> None:
    """Nothing is copied that a checker would call our error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom's warnings quote values: none may escape
        normal = normalise(header(VARIANTS["broken values"]))
    assert (normal.PatientBirthDate, normal.StudyTime, normal.PatientSex) == ("", "", "M")
    assert len(normal.StudyDescription) == 64
    assert len(str(normal.PatientWeight)) <= 16
    assert "PatientAge" not in normal
    assert "PregnancyStatus" not in normal
    assert "ProcedureCodeSequence" not in normal
    assert "ReferencedSOPInstanceUID" not in normal.ReferencedStudySequence[0]
    assert not any(element.tag.is_private for element in normal)


def test_the_source_itself_is_not_changed() -> None:
    """Other stages read the same header."""
    raw = header(SeriesOptions(edit=korean))
    before = raw.to_json()
    normalise(raw)
    assert raw.to_json() == before


def test_an_element_that_cannot_be_read_is_left_out() -> None:
    """A value that pydicom cannot convert costs that value only."""
    raw = header()
    raw.add_new(0x00280010, "US", 4)
    raw._dict[raw.data_element("Rows").tag] = raw.get_item("SeriesNumber")._replace(
        tag=raw.data_element("Rows").tag, VR="US", value=b"\x01", length=1
    )
    normal = normalise(raw)
    assert "Rows" not in normal
    assert normal.PatientID == "TEST-1"


def test_an_overlong_patient_id_is_not_shortened() -> None:
    """A shortened identifier would be somebody else's."""
    raw = header()
    raw.add_new(0x00100020, "LO", "9" * 70)
    assert normalise(raw).PatientID == "9" * 70


@pytest.mark.parametrize(
    ("name", "family", "given"),
    [
        ("Hong^Gildong=洪^吉洞", "Hong", "Gildong"),
        ("=洪^吉洞=홍^길동", "洪", "吉洞"),
        ("Single", "Single", ""),
        ("", "", ""),
    ],
)
def test_the_subject_is_named_by_the_first_group_that_has_a_name(name: str, family: str, given: str) -> None:
    """Alphabetic before ideographic before phonetic."""
    raw = header(SeriesOptions(header={"PatientName": name}))
    subject = describe_subject(normalise(raw))
    assert (subject.family_name, subject.given_name) == (family, given)


def test_the_subject_is_described_as_the_source_says() -> None:
    """Identifiers, birth date in ISO form and sex."""
    raw = header(SeriesOptions(header={"IssuerOfPatientID": "Hospital"}))
    subject = describe_subject(normalise(raw))
    assert (subject.patient_id, subject.issuer) == ("TEST-1", "Hospital")
    assert (subject.birth_date, subject.sex) == ("1970-01-01", "O")


def test_an_unidentified_subject_stays_unidentified() -> None:
    """Nothing is made up."""
    subject = describe_subject(normalise(header(VARIANTS["missing type 2"])))
    assert (subject.patient_id, subject.issuer, subject.birth_date, subject.sex) == ("", "", "", "")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (SeriesOptions(), datetime(2026, 1, 2, 12, tzinfo=UTC)),
        (SeriesOptions(edit=seoul_time), datetime(2026, 1, 2, 12, tzinfo=timezone(timedelta(hours=9)))),
        (SeriesOptions(header={"StudyTime": None}), datetime(2026, 1, 2, tzinfo=UTC)),
        (SeriesOptions(header={"StudyDate": None}), None),
    ],
)
def test_the_start_of_the_study_has_a_zone_or_is_absent(
    tmp_path: Path, options: SeriesOptions, expected: datetime | None
) -> None:
    """The source's zone where it names one, else UTC; no date, no start."""
    import numpy as np

    grid = axial_grid((2, 4, 5))
    series = revision_of(write_series(tmp_path, np.zeros(grid.shape), grid, options))
    described = describe_series(series, normalise(header(options)))
    assert described.started_at == expected
    assert len(described.instances) == 2
    assert (described.modality, described.accession_number, described.study_id) == ("MR", "A1", "1")


def test_a_header_without_identifiers_is_normalised_too() -> None:
    """Whoever reads a single object to show it has no need of them."""
    bare = Dataset()
    bare.PatientName = None
    normal = normalise(bare)
    assert str(normal.PatientName or "") == ""
    assert "SOPInstanceUID" not in normal


def test_empty_attributes_are_left_out() -> None:
    """At every level; only those of type 2 may be empty, and what has nothing left in it is left out too."""
    code, issuer = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99A", "Head"
    code.CodingSchemeVersion = ""
    issuer.UniversalEntityID = ""
    raw = header()
    raw.DeidentificationMethod = raw.PatientSpeciesDescription = raw.StudyID = ""
    raw.ProcedureCodeSequence = [code, Dataset()]
    raw.IssuerOfAccessionNumberSequence = [issuer]
    normal = normalise(raw)
    assert "DeidentificationMethod" not in normal
    assert "PatientSpeciesDescription" not in normal
    assert len(normal.ProcedureCodeSequence) == 1
    assert "CodingSchemeVersion" not in normal.ProcedureCodeSequence[0]
    assert "IssuerOfAccessionNumberSequence" not in normal
    assert "StudyID" in normal
