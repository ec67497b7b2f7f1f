"""A series that a model wanted and did not analyse has a note that says so and why, and no finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact
from inference.domain.result import Refusal
from inference.encoding.note import NoteSubject, refusal_note
from inference.errors import EncodingError, ReasonCode
from tests.support.findings import PRODUCED_AT, Case, items, make_case
from tests.support.reviews import read
from tests.support.sources import HANGUL_NAME, VARIANTS

GAP = Refusal(ReasonCode.GAP.value, "3 slices are missing between 12 and 16.")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source."""
    return make_case(tmp_path_factory.mktemp("source"))


def subject_of(case: Case, refusal: Refusal = GAP) -> NoteSubject:
    """Say that the series was not analysed; the header is not that of the first instance."""
    encoding = case.encoding
    instances = [instance.identity for instance in case.series.instances]
    return NoteSubject(encoding.data_sets[2], instances, encoding.spec, refusal, encoding.uids, PRODUCED_AT)


def value_of(document: Dataset, meaning: str) -> tuple[str, str]:
    """Give code and scheme of a coded item."""
    (item,) = items(document, meaning)
    code = item.ConceptCodeSequence[0]
    return code.get("CodeValue") or code.LongCodeValue, code.CodingSchemeDesignator


def words(document: Dataset) -> str:
    """Give what it says to a person."""
    (item,) = items(document, "Comment")
    text: str = item.TextValue
    return text


def test_it_says_that_and_why_nothing_was_analysed(case: Case) -> None:
    """Coded for machines (PS3.16 CID 6042, and the node's own reason), in words for people."""
    document = read(refusal_note(subject_of(case)))
    assert value_of(document, "Summary of Analyses") == ("111225", "DCM")
    assert value_of(document, "Reason Not Analysed") == ("geometry.gap", "99NEURONOVA")
    assert words(document) == (
        "Brain structures (brain-structures 1.2.0) gives no result for this series: 3 slices are missing between 12"
        " and 16. Research use only. Not for diagnosis. Not reviewed by a person."
    )


@pytest.mark.parametrize("reason", ReasonCode)
def test_every_reason_can_be_coded(case: Case, reason: ReasonCode) -> None:
    """Also those longer than a Code Value; only what a model has run on is an analysis that failed."""
    document = read(refusal_note(subject_of(case, Refusal(reason.value, "because"))))
    assert value_of(document, "Reason Not Analysed") == (reason.value, "99NEURONOVA")
    failed = reason.value.startswith("result.")
    assert value_of(document, "Summary of Analyses")[0] == ("111224" if failed else "111225")


def test_it_has_no_finding(case: Case) -> None:
    """Nothing that a machine could take for a measurement or an absence."""
    document = read(refusal_note(subject_of(case)))
    assert document.ConceptNameCodeSequence[0].CodeValue == "not-analysed"
    assert "ContentTemplateSequence" not in document
    assert items(document, "Imaging Measurements") == items(document, "Qualitative Evaluations") == []


def test_it_belongs_to_the_series(case: Case) -> None:
    """Same patient and study; every instance of the series is its evidence."""
    note = refusal_note(subject_of(case))
    document, source = read(note), case.encoding.data_sets[0]
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "AccessionNumber", "StudyDescription"):
        assert document[keyword].value == source[keyword].value
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == case.series.series_instance_uid
    listed = {reference.ReferencedSOPInstanceUID for reference in series.ReferencedSOPSequence}
    assert listed == {instance.identity.sop_instance_uid for instance in case.series.instances}


def test_it_is_a_complete_preliminary_report_of_a_device(case: Case) -> None:
    """In a series of its own that says what it is."""
    note = refusal_note(subject_of(case))
    document = read(note)
    assert (note.kind, note.segmentation) == (ArtifactKind.SR, None)
    assert (document.CompletionFlag, document.PreliminaryFlag, document.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    assert document.SeriesInstanceUID == case.encoding.uids.series("NOTE")
    assert document.SeriesNumber == case.encoding.spec.publication.series_number + 7
    assert document.SeriesDescription == "AI Brain structures not analysed (research only)"
    assert document.ContentDate == "20260102"
    for meaning in ("Language of Content Item and Descendants", "Observer Type", "Procedure reported"):
        assert len(items(document, meaning)) == 1


def test_the_same_refusal_gives_the_same_bytes(case: Case) -> None:
    """Another reason is another object, for an archive keeps the bytes it had under a UID."""
    notes = [refusal_note(subject_of(case)) for _ in "ab"]
    other = refusal_note(subject_of(case, replace(GAP, message="another slice is missing")))
    assert notes[0] == notes[1]
    assert other.identity.sop_instance_uid != notes[0].identity.sop_instance_uid
    assert other.identity.series_instance_uid == notes[0].identity.series_instance_uid


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_source_can_be_noted(tmp_path: Path, variant: str) -> None:
    """A note must not fail on what the analysis failed on."""
    made: DicomArtifact = refusal_note(subject_of(make_case(tmp_path, VARIANTS[variant])))
    if variant == "korean":
        assert str(read(made).PatientName) == HANGUL_NAME


def test_a_header_that_names_no_study_is_an_encoding_error(case: Case) -> None:
    """The message names the kind of fault and no value."""
    with pytest.raises(EncodingError, match=r"could not be built \(\w+\)$"):
        refusal_note(replace(subject_of(case), header=Dataset(), produced_at=PRODUCED_AT + timedelta(days=1)))
