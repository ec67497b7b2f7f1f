"""What archives and viewers are sent, attribute by attribute: a change of a golden file is a change for them.

``python -m tests.integration.test_golden_objects`` writes the files anew; read the difference first.

``.json`` is a whole object, ``.txt`` the tree of a document as DCMTK prints it. ``tests/support/dicom_text.py`` says
what they leave out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.domain.artifact import ArtifactKind, DicomArtifact, Segmentation
from inference.domain.delivery import Order
from inference.domain.review import Review, Verdict
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.objects import encode
from inference.encoding.revision import revise
from tests.integration.test_encoding_conformance import MEASURED, a_box_and_a_point
from tests.integration.test_revised_results import note_of
from tests.support.dicom_text import Names, as_json, tree
from tests.support.findings import Case, classified, make_case, no_lesions, overlapping_lesions
from tests.support.reviews import excluding, read, review
from tests.support.segmentations import with_places, with_probabilities
from tests.support.synthetic_series import SeriesOptions

pytestmark = pytest.mark.integration

FOLDER: Final = Path(__file__).parent / "golden"
LARGEST_BYTES: Final = 60_000
DOCUMENTS: Final = frozenset({ArtifactKind.SR, ArtifactKind.KOS})


@dataclass(frozen=True, eq=False)
class Story:
    """Objects, and what was there before them.

    Parameters
    ----------
    shown
        The objects, each of another kind.
    before
        Objects to which they refer, besides the source.
    """

    shown: Sequence[DicomArtifact]
    before: Sequence[DicomArtifact] = ()


def measured(encoding: EncodingInput) -> Story:
    """Show a result without key images."""
    return Story(encode(replace(encoding, order=MEASURED)))


def segmented(encoding: EncodingInput, kind: Segmentation) -> Story:
    """Show one encoding of what was drawn."""
    return Story(encode(replace(encoding, order=Order(frozenset({ArtifactKind.SEG}), (kind,)))))


def reviewed(encoding: EncodingInput, verdict: Review) -> Story:
    """Show what is sent when a person has reviewed a result."""
    old = encode(encoding)
    return Story(revise(old, encoding.spec.reference, verdict), old)


def without_the_first(encoding: EncodingInput) -> Review:
    """Leave a structure out, and add a word."""
    return excluding(encoding.result.segments[0].volume.tracking_uid, conclusion="No abnormality. 정상.")


STORIES: Final[Mapping[str, Callable[[Case], Story]]] = {
    "structures": lambda case: Story(encode(case.encoding)),
    "sides": lambda case: measured(with_places(case)),
    "label-map": lambda case: segmented(case.encoding, Segmentation.LABELMAP),
    "fractional": lambda case: segmented(with_probabilities(case.encoding), Segmentation.FRACTIONAL),
    "overlapping": lambda case: Story(encode(overlapping_lesions(case))),
    "classification": lambda case: Story(encode(classified(case))),
    "detections": lambda case: Story(encode(a_box_and_a_point(case))),
    "nothing-found": lambda case: Story(encode(no_lesions(case))),
    "not-analysed": lambda case: Story([note_of(case)]),
    "accepted": lambda case: reviewed(classified(case), review()),
    "amended": lambda case: reviewed(case.encoding, without_the_first(case.encoding)),
    "rejected": lambda case: reviewed(case.encoding, review(Verdict.REJECT, reason="motion")),
}


def told(name: str, case: Case, folder: Path) -> Mapping[str, str]:
    """Give the text of every file of a story by its name."""
    story = STORIES[name](case)
    old = [*map(dcmread, case.paths), *map(read, story.before)]
    names, texts = Names([*old, *map(read, story.shown)]), {}
    for artifact in story.shown:
        stem = f"{name}.{artifact.kind.value.lower()}"
        assert f"{stem}.json" not in texts
        texts[f"{stem}.json"] = as_json(read(artifact), names)
        if artifact.kind in DOCUMENTS:
            texts[f"{stem}.txt"] = tree(artifact.content, names, folder)
    return texts


def golden(file: str) -> str:
    """Read what was told when the file was written."""
    return (FOLDER / file).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


@pytest.mark.parametrize("name", STORIES)
def test_an_object_says_what_it_said(case: Case, tmp_path: Path, name: str) -> None:
    """Attribute by attribute, and as a foreign reader prints it."""
    texts = told(name, case, tmp_path)
    assert sorted(texts) == sorted(path.name for path in FOLDER.glob(f"{name}.*"))
    for file, text in texts.items():
        assert text == golden(file), file


def test_uids_and_versions_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pictures in another study, sent by another release, tell the same."""
    monkeypatch.setattr("inference.encoding.equipment.version", lambda _: "47.11.0")
    case = make_case(tmp_path / "source", SeriesOptions(seed=1))
    for file, text in told("amended", case, tmp_path).items():
        assert text == golden(file), file


def _say_another_word(seg: Dataset) -> None:
    seg.SegmentSequence[0].SegmentLabel = "Thalami"


def _draw_another_voxel(seg: Dataset) -> None:
    seg.PixelData = bytes([seg.PixelData[0] ^ 1]) + seg.PixelData[1:]


def _refer_to_something_else(seg: Dataset) -> None:
    seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID = "2.25.1"


@pytest.mark.parametrize("change", [_say_another_word, _draw_another_voxel, _refer_to_something_else])
def test_what_changes_is_seen(case: Case, change: Callable[[Dataset], None]) -> None:
    """A comparison that cannot fail proves nothing."""
    sources = [*map(dcmread, case.paths)]
    artifacts = encode(case.encoding)
    seg, *others = map(read, artifacts)
    assert as_json(seg, Names([*sources, seg, *others])) == golden("structures.seg.json")
    change(seg)
    assert as_json(seg, Names([*sources, seg, *others])) != golden("structures.seg.json")


def test_the_files_can_be_kept() -> None:
    """No UID but the standard's, no version of what is installed, no file without a story, none too long to read."""
    for file in FOLDER.iterdir():
        text = golden(file.name)
        assert file.name.partition(".")[0] in STORIES, file
        assert len(text.encode()) < LARGEST_BYTES, file
        assert re.findall(r"2\.25\.\d+", text) == [], file
        assert re.findall(r'"SoftwareVersions":.*"\d', text) == [], file


def _write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        case = make_case(folder / "source")
        for name in STORIES:
            for file, text in told(name, case, folder).items():
                (FOLDER / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
