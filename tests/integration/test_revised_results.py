"""Results that a person has reviewed, key images and notes, before tools that nobody here wrote."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.result import Refusal
from inference.domain.review import Review, Verdict
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.note import NoteSubject, refusal_note
from inference.encoding.objects import encode
from inference.encoding.revision import revise
from tests.integration.test_encoding_conformance import UNLIKE_THEIR_SOURCE, in_utf_8
from tests.support.conformance import dcentvfy_errors, dciodvfy_errors, read_seg, read_sr
from tests.support.findings import PRODUCED_AT, Case, classified, make_case, overlapping_lesions
from tests.support.reviews import excluding, objects_of, of_kind, review, with_probabilities
from tests.support.sources import VARIANTS
from tests.unit.inference.encoding.test_source_images import enhanced

pytestmark = pytest.mark.integration

DSRDUMP = Path("/usr/bin/dsrdump")

NOT_KNOWN_TO_DCIODVFY = (
    "ReferencedSegmentNumber(0062,000b)> - Shall not be present for Referenced SOP Class that is not"
)
"""It does not take a Label Map Segmentation for a segmentation, though its IOD is that one (PS3.3 section A.51), and
the number is required for one (PS3.3 table 10-3)."""

REVIEWS: Mapping[str, Callable[[EncodingInput], Review]] = {
    "accepted": lambda _: review(),
    "amended": lambda encoding: excluding(
        encoding.result.segments[0].volume.tracking_uid, conclusion="No abnormality. 정상."
    ),
    "excluded altogether": lambda encoding: excluding(*(s.volume.tracking_uid for s in encoding.result.segments)),
    "only a conclusion": lambda _: review(Verdict.AMEND, conclusion="Unchanged."),
    "rejected": lambda _: review(Verdict.REJECT, reason="motion"),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


def write(artifacts: Sequence[DicomArtifact], folder: Path) -> list[Path]:
    """Write objects into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, artifact in enumerate(artifacts):
        paths.append(folder / f"{number}-{artifact.kind.value}.dcm")
        paths[-1].write_bytes(artifact.content)
    return paths


def errors_in(paths: Sequence[Path], kind: Segmentation = Segmentation.BINARY) -> list[str]:
    """Check objects one by one; of reports on label maps, what the tool does not know is passed over."""
    found = [error for path in paths for error in dciodvfy_errors(path)]
    if kind is Segmentation.LABELMAP:
        return [error for error in found if NOT_KNOWN_TO_DCIODVFY not in error]
    return found


def dump(path: Path) -> str:
    """Print the tree of a document with DCMTK; the document must be one that it can read."""
    done = subprocess.run([str(DSRDUMP), "+Pl", str(path)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode()


def note_of(case: Case) -> DicomArtifact:
    """Say that a series was not analysed."""
    source = case.encoding
    instances = [instance.identity for instance in case.series.instances]
    refusal = Refusal("pixel.unsupported_transfer_syntax", "the images are MPEG")
    return refusal_note(NoteSubject(source.data_sets[0], instances, source.spec, refusal, source.uids, PRODUCED_AT))


@pytest.mark.parametrize("kind", Segmentation)
@pytest.mark.parametrize("which", REVIEWS)
def test_revised_objects_conform_and_belong_to_their_source(
    case: Case, tmp_path: Path, which: str, kind: Segmentation
) -> None:
    """No error in any object, and no reference that leads nowhere, among old ones and new."""
    encoding = with_probabilities(case)
    old = objects_of(encoding, kind)
    new = revise(old, encoding.spec.reference, REVIEWS[which](encoding))
    paths = write([*old, *new], tmp_path / "objects")
    assert errors_in(paths, kind) == []
    assert dcentvfy_errors([*in_utf_8(case.paths, tmp_path / "utf-8"), *paths]) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("variant", VARIANTS)
def test_notes_key_images_and_reviews_of_every_kind_of_source_conform(tmp_path: Path, variant: str) -> None:
    """Whatever is wrong with the source."""
    case = make_case(tmp_path / "source", VARIANTS[variant])
    old = [*encode(case.encoding), note_of(case)]
    assert of_kind(old, ArtifactKind.KOS)
    model = case.encoding.spec.reference
    new = [
        made for which in ("accepted", "amended") for made in revise(old[:-1], model, REVIEWS[which](case.encoding))
    ]
    paths = write([*old, *new], tmp_path / "objects")
    assert errors_in(paths) == []
    if variant not in UNLIKE_THEIR_SOURCE:
        assert dcentvfy_errors([*in_utf_8(case.paths, tmp_path / "utf-8"), *paths]) == []


def test_those_of_a_multi_frame_source_conform(tmp_path: Path) -> None:
    """Key images are frames of one instance."""
    encoding = enhanced(tmp_path / "source")
    old = encode(encoding)
    new = revise(old, encoding.spec.reference, REVIEWS["amended"](encoding))
    paths = write([*old, *new], tmp_path / "objects")
    assert errors_in(paths) == []
    assert dcentvfy_errors([*(tmp_path / "source").glob("*.dcm"), *paths]) == []


@pytest.mark.parametrize("kind", [Segmentation.BINARY, Segmentation.LABELMAP])
def test_dcmqi_reads_the_segments_that_were_left(case: Case, tmp_path: Path, kind: Segmentation) -> None:
    """Voxel for voxel, under their new numbers."""
    excluded, *kept = case.encoding.result.segments
    seg, *_ = revise(
        objects_of(case.encoding, kind), case.encoding.spec.reference, excluding(excluded.volume.tracking_uid)
    )
    (path,) = write([seg], tmp_path)
    (image,) = read_seg(path, tmp_path / "read")
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(image)))
    counts = {int(value): int((array == value).sum()) for value in np.unique(array[array > 0])}
    assert counts == {number: segment.voxel_count for number, segment in enumerate(kept, start=1)}


@pytest.mark.parametrize("which", ["accepted", "amended", "only a conclusion"])
def test_dcmqi_reads_the_values_of_a_verified_report(case: Case, tmp_path: Path, which: str) -> None:
    """Those of the result, with the segments that they are of."""
    encoding = case.encoding
    old = objects_of(encoding)
    new = revise(old, encoding.spec.reference, REVIEWS[which](encoding))
    (seg,) = of_kind(new, ArtifactKind.SEG) or of_kind(old, ArtifactKind.SEG)
    (report,) = of_kind(new, ArtifactKind.SR)
    groups = read_sr(write([report], tmp_path)[0], tmp_path / "read")
    kept = encoding.result.segments[1:] if which == "amended" else encoding.result.segments
    assert [group["TrackingUniqueIdentifier"] for group in groups] == [
        s.volume.tracking_uid for s in kept for _ in "ab"
    ]
    for number, (group, segment) in enumerate(zip(groups[::2], kept, strict=True), start=1):
        assert group["ReferencedSegment"] == number
        assert group["segmentationSOPInstanceUID"] == seg.identity.sop_instance_uid
        assert float(group["measurementItems"][0]["value"]) == pytest.approx(segment.volume.value)


def test_dcmtk_prints_a_verified_report(case: Case, tmp_path: Path) -> None:
    """With its verification, its predecessor and who concludes what."""
    encoding = case.encoding
    new = revise(objects_of(encoding), encoding.spec.reference, REVIEWS["amended"](encoding))
    text = dump(write(of_kind(new, ArtifactKind.SR), tmp_path)[0])
    for said in (
        "Preliminary Flag    : FINAL",
        "Predecessor Docs    : 1",
        "Verification Flag   : VERIFIED",
        "Verifying Observers : 2026-01-03 12:30:15 +00:00, Kim^Minsu=金^民洙=김^민수, Seoul Hospital",
        '<contains TEXT:(,,"Conclusion")="No abnormality. 정상.">',
        '<has obs context PNAME:(,,"Person Observer Name")="Kim^Minsu=金^民洙=김^민수">',
    ):
        assert said in text
    assert text.count('"Measurement Group"') == 2 * (len(encoding.result.segments) - 1)
    assert "Not reviewed" not in text


@pytest.mark.parametrize("result", [overlapping_lesions, classified])
def test_dcmtk_prints_every_new_document(case: Case, tmp_path: Path, result: Callable[[Case], EncodingInput]) -> None:
    """Reports of findings with a place and without, and the rejection of what they replace."""
    encoding = result(case)
    findings = [finding.tracking_uid for finding in encoding.result.findings if finding.present]
    drawn = [segment.volume.tracking_uid for segment in encoding.result.segments]
    new = revise(encode(encoding), encoding.spec.reference, excluding((drawn or findings)[0]))
    *_, report, rejection = write(new, tmp_path)
    assert '(,,"Comment")="Left out by the reader: ' in dump(report)
    assert '<CONTAINER:(,,"Rejected for Quality Reasons")' in dump(rejection)
    assert '(,,"Key Object Description")="replaced by an amended version: a vessel"' in dump(rejection)


def test_dcmtk_prints_key_images(case: Case, tmp_path: Path) -> None:
    """And names the frame of a multi-frame image."""
    (keys,) = write(of_kind(encode(case.encoding), ArtifactKind.KOS), tmp_path / "single")
    assert '<CONTAINER:(,,"Of Interest")' in dump(keys)
    (frames,) = write(of_kind(encode(enhanced(tmp_path / "source")), ArtifactKind.KOS), tmp_path / "frames")
    assert '<contains IMAGE:(,,"Source")=(MRe image,,4)>' in dump(frames)


def test_dcmtk_prints_a_note(case: Case, tmp_path: Path) -> None:
    """Status and reason in codes, also in one that is longer than a Code Value."""
    text = dump(write([note_of(case)], tmp_path)[0])
    assert '<contains CODE:(,,"Summary of Analyses")=(111225,DCM,"Not Attempted")>' in text
    assert "(pixel.unsupported_transfer_syntax,99NEURONOVA," in text
    assert "the images are MPEG. Research use only." in text


def test_the_checker_finds_what_is_wrong_with_a_verified_report(case: Case, tmp_path: Path) -> None:
    """A check that cannot fail proves nothing."""
    (report,) = revise(objects_of(case.encoding), case.encoding.spec.reference, review())
    assert report.content.count(b"Seoul Hospital") == 1
    nameless = replace(report, content=report.content.replace(b"VERIFIED", b"VERY    "))
    assert dciodvfy_errors(write([nameless], tmp_path)[0])
