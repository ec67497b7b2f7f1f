"""A recalled result is withdrawn by an object of its own, made of the stored bytes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.identifiers import UID
from inference.domain.job import ModelReference
from inference.encoding.objects import encode
from inference.encoding.withdrawal import is_rejection, withdrawal
from inference.errors import EncodingError
from tests.support.findings import PRODUCED_AT, classified, items, make_case
from tests.support.sources import HANGUL_NAME, VARIANTS

MODEL = ModelReference("brain-structures", "1.2.0", "ab" * 32)
REASON = "left and right were exchanged"
RECALLED_AT = PRODUCED_AT + timedelta(days=40)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Sequence[DicomArtifact]:
    """Give an ordinary result."""
    return encode(make_case(tmp_path_factory.mktemp("source")).encoding)


def read(artifact: DicomArtifact) -> Dataset:
    """Read an object."""
    return dcmread(BytesIO(artifact.content))


def withdraw(artifacts: Sequence[DicomArtifact]) -> DicomArtifact:
    """Withdraw a result."""
    return withdrawal(artifacts, MODEL, REASON, RECALLED_AT)


def test_it_rejects_the_segmentation_and_the_report(artifacts: Sequence[DicomArtifact]) -> None:
    """As IHE has it: a Key Object Selection with the title of a rejection (PS3.16 TID 2010)."""
    document = read(withdraw(artifacts))
    assert (document.Modality, document.SOPClassUID) == ("KO", UID("1.2.840.10008.5.1.4.1.1.88.59"))
    title = document.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113001", "DCM")
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "2010"
    referenced = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in document.ContentSequence
        if "ReferencedSOPSequence" in item
    ]
    assert referenced == [artifact.identity.sop_instance_uid for artifact in artifacts]
    series = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {one.SeriesInstanceUID for one in series} == {a.identity.series_instance_uid for a in artifacts}


def test_it_rejects_key_images_too(artifacts: Sequence[DicomArtifact]) -> None:
    """They are a Key Object Selection as well, but one that says what to look at."""
    key_images = artifacts[-1]
    assert key_images.kind is ArtifactKind.KOS
    assert not is_rejection(key_images)
    document = read(withdraw([*artifacts, withdraw(artifacts)]))
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    listed = [
        reference.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    ]
    assert sorted(listed) == sorted(artifact.identity.sop_instance_uid for artifact in artifacts)


def test_what_is_there_for_several_destinations_is_rejected_once(artifacts: Sequence[DicomArtifact]) -> None:
    """A segmentation that could be encoded in one way only is kept for each that was asked for."""
    twice = [*artifacts, replace(artifacts[0], segmentation=Segmentation.FRACTIONAL)]
    assert read(withdraw(twice)) == read(withdraw(artifacts))


def test_it_says_why(artifacts: Sequence[DicomArtifact]) -> None:
    """Model, version and reason, for whoever opens it."""
    (description,) = items(read(withdraw(artifacts)), "Key Object Description")
    expected = "withdrawn: model brain-structures version 1.2.0 was recalled: left and right were exchanged"
    assert description.TextValue == expected


def test_it_lies_beside_what_it_withdraws(artifacts: Sequence[DicomArtifact]) -> None:
    """In the same study of the same patient, after the SR, dated by the recall."""
    made = withdraw(artifacts)
    document, seg = read(made), read(artifacts[0])
    assert made.kind is ArtifactKind.KOS
    assert made.identity.study_instance_uid == artifacts[0].identity.study_instance_uid
    assert made.identity.series_instance_uid not in {a.identity.series_instance_uid for a in artifacts}
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "StudyInstanceUID",
        "AccessionNumber",
        "StudyDate",
    ):
        assert document[keyword].value == seg[keyword].value
    assert document.SeriesNumber == 9002
    assert document.SeriesDescription == "AI brain-structures withdrawn (research only)"
    assert document.ContentDate == document.SeriesDate == document.InstanceCreationDate == "20260211"


def test_of_a_report_without_segmentation_the_report_is_withdrawn(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its number is still the one after the report's."""
    (report,) = encode(classified(make_case(tmp_path_factory.mktemp("source"))))
    document = read(withdraw([report]))
    assert document.SeriesNumber == read(report).SeriesNumber + 1


def test_the_same_recall_gives_the_same_bytes(artifacts: Sequence[DicomArtifact]) -> None:
    """It can be sent twice, also after a withdrawal was kept beside the result."""
    first = withdraw(artifacts)
    assert withdraw([*artifacts, first]) == first


def test_another_recall_is_another_object(artifacts: Sequence[DicomArtifact]) -> None:
    """An archive keeps the first bytes of a UID."""
    others = [
        withdrawal(artifacts, MODEL, "another reason", RECALLED_AT),
        withdrawal(artifacts, MODEL, REASON, RECALLED_AT + timedelta(seconds=1)),
        withdraw(artifacts[:1]),
    ]
    assert len({a.identity.sop_instance_uid for a in (withdraw(artifacts), *others)}) == 4


def test_names_and_zone_are_those_of_the_result(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A Korean name in UTF-8; the time in the source's zone."""
    korean = encode(make_case(tmp_path_factory.mktemp("korean"), VARIANTS["korean"]).encoding)
    zoned = encode(make_case(tmp_path_factory.mktemp("zoned"), VARIANTS["time zone"]).encoding)
    assert str(read(withdraw(korean)).PatientName) == HANGUL_NAME
    assert read(withdraw(zoned)).TimezoneOffsetFromUTC == "+0900"


def test_without_objects_there_is_nothing_to_withdraw() -> None:
    """A model that publishes no object."""
    with pytest.raises(EncodingError, match="no object"):
        withdraw([])


def test_bytes_that_are_no_object_are_an_encoding_error(artifacts: Sequence[DicomArtifact]) -> None:
    """The message names the kind of fault and no value."""
    with pytest.raises(EncodingError, match="could not be built"):
        withdraw([replace(artifacts[0], content=b"SENTINEL")])
