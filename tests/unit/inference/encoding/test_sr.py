"""The report among its relatives: its predecessor, the other encodings of its segmentation, and its totals."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import dcmread

from inference.domain.artifact import ArtifactKind, Segmentation
from inference.domain.identifiers import UID
from inference.domain.study import InstanceIdentity
from inference.encoding.part10 import to_artifact
from inference.encoding.sr import build_sr
from inference.encoding.sr_groups import Evidence
from tests.support.findings import Case, classified, items, make_case
from tests.support.reviews import images_of, imprint_of, objects_of, read, with_probabilities

PREDECESSOR = InstanceIdentity(UID("1.2.1"), UID("1.2.2"), UID("1.2.3"), UID("1.2.840.10008.5.1.4.1.1.88.33"))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


def report(case: Case, *predecessors: InstanceIdentity) -> bytes:
    """Report a classification."""
    encoding = classified(case)
    evidence = Evidence(encoding.volume, encoding.result, encoding.spec, None)
    document = build_sr(images_of(encoding), evidence, imprint_of(encoding), predecessors)
    return to_artifact(ArtifactKind.SR, document).content


def test_it_names_the_report_that_it_replaces(case: Case) -> None:
    """By study, series and instance (PS3.3 section C.17.2)."""
    encoding = classified(case)
    evidence = Evidence(encoding.volume, encoding.result, encoding.spec, None)
    document = build_sr(images_of(encoding), evidence, imprint_of(encoding), (PREDECESSOR,))
    (study,) = document.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (reference,) = series.ReferencedSOPSequence
    assert study.StudyInstanceUID == PREDECESSOR.study_instance_uid
    assert series.SeriesInstanceUID == PREDECESSOR.series_instance_uid
    assert reference.ReferencedSOPInstanceUID == PREDECESSOR.sop_instance_uid
    assert reference.ReferencedSOPClassUID == PREDECESSOR.sop_class_uid


def test_another_predecessor_is_another_object(case: Case) -> None:
    """An archive keeps the bytes that it had under a UID; the same predecessor gives the same bytes."""
    other = replace(PREDECESSOR, sop_instance_uid=UID("1.2.4"))
    made = [report(case, *before) for before in ((), (PREDECESSOR,), (other,), (PREDECESSOR,))]
    assert len(set(made)) == 3
    assert made[1] == made[3]


def test_it_names_every_encoding_of_what_it_replaces(case: Case) -> None:
    """An archive that was sent another encoding has another report to set aside."""
    other = replace(PREDECESSOR, series_instance_uid=UID("1.2.5"), sop_instance_uid=UID("1.2.4"))
    document = dcmread(BytesIO(report(case, PREDECESSOR, other)))
    (study,) = document.PredecessorDocumentsSequence
    named = {
        (series.SeriesInstanceUID, reference.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    assert named == {(one.series_instance_uid, one.sop_instance_uid) for one in (PREDECESSOR, other)}


def test_the_first_report_has_no_predecessor(case: Case) -> None:
    """The attribute is of type 1C: empty it would be wrong."""
    _, sr, _ = objects_of(case.encoding)
    assert "PredecessorDocumentsSequence" not in read(sr)


def test_each_encoding_of_a_segmentation_has_its_own_report(case: Case) -> None:
    """It refers to that one and no other."""
    encoding = with_probabilities(case)
    instances = set()
    for kind in Segmentation:
        seg, sr, _ = objects_of(encoding, kind)
        instances.add((sr.identity.series_instance_uid, sr.identity.sop_instance_uid))
        for reference in items(read(sr), "Referenced Segment"):
            assert reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == seg.identity.sop_instance_uid
    assert len(instances) == 3
    uids = encoding.uids
    assert (uids.series("SR"), uids.instance("SR")) in instances
    assert (uids.series("SR-labelmap"), uids.instance("SR-labelmap")) in instances


def test_totals_are_said_in_words(case: Case) -> None:
    """Without a measurement group, which viewers could not draw."""
    _, sr, _ = objects_of(case.encoding)
    document = read(sr)
    (comment,) = items(document, "Comment")
    (total,) = case.encoding.result.totals
    assert comment.TextValue.startswith(f"All structures: volume {total.value:.3f} mL. Research use only.")
    assert len(items(document, "Measurement Group")) == 2 * len(case.encoding.result.segments)
