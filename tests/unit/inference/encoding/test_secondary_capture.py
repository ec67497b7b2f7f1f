"""Secondary Captures say what they are and of what they were made, and carry the pictures."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from inference.domain.artifact import ArtifactKind
from inference.encoding.legend import with_legend
from inference.encoding.overlay import draw_overlays
from inference.encoding.part10 import to_artifact
from tests.support.findings import Case, classified, make_case, overlapping_lesions
from tests.support.pictures import captures, coloured, with_values
from tests.support.sources import HANGUL_NAME, VARIANTS
from tests.support.synthetic_series import SeriesOptions
from tests.unit.inference.encoding.test_source_images import ORDER, enhanced


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an ordinary source and result."""
    return make_case(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def pictures(case: Case) -> list[Dataset]:
    """Give the images of a tumour within its edema, read back."""
    built = captures(with_values(overlapping_lesions(case)))
    return [dcmread(BytesIO(to_artifact(ArtifactKind.SC, each).content)) for each in built]


def test_there_is_one_image_for_each_key_slice(case: Case, pictures: list[Dataset]) -> None:
    """Numbered in slice order, of one series."""
    uids = overlapping_lesions(case).uids
    assert [picture.InstanceNumber for picture in pictures] == [1, 2]
    assert [picture.SOPInstanceUID for picture in pictures] == [uids.instance("SC-1"), uids.instance("SC-2")]
    assert {picture.SeriesInstanceUID for picture in pictures} == {uids.series("SC")}
    assert {picture.SeriesNumber for picture in pictures} == {9003}


def test_an_image_says_what_it_is(pictures: list[Dataset]) -> None:
    """Derived, secondary, made by a workstation, with words burned in."""
    for picture in pictures:
        assert picture.SOPClassUID == SecondaryCaptureImageStorage
        assert picture.ConversionType == "WSD"
        assert list(picture.ImageType) == ["DERIVED", "SECONDARY"]
        assert picture.BurnedInAnnotation == "YES"
        assert "research use only" in picture.DerivationDescription
        assert picture.SeriesDescription == "AI Tumour finder pictures (research only)"
        assert (picture.PhotometricInterpretation, picture.BitsStored) == ("RGB", 8)
        assert list(picture.PatientOrientation) == ["L", "P"]


def test_an_image_names_the_source_of_its_slice(case: Case, pictures: list[Dataset]) -> None:
    """And nothing else."""
    frames = case.encoding.volume.frames
    for picture, index in zip(pictures, (1, 2), strict=True):
        (source,) = picture.SourceImageSequence
        frame = frames[index]
        assert frame is not None
        assert source.ReferencedSOPInstanceUID == frame.sop_instance_uid
        assert "ReferencedFrameNumber" not in source
        assert f"image {index + 1} " in picture.DerivationDescription


def test_an_image_of_a_multi_frame_source_names_the_frame(tmp_path: Path) -> None:
    """As the SEG does."""
    encoding = enhanced(tmp_path)
    (picture,) = captures(with_values(encoding))
    (source,) = picture.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == encoding.data_sets[0].SOPInstanceUID
    assert ORDER[int(source.ReferencedFrameNumber) - 1] == 1


def test_the_pixels_are_the_picture_with_its_legend(case: Case, pictures: list[Dataset]) -> None:
    """Bit for bit."""
    encoding = with_values(overlapping_lesions(case))
    for picture, overlay in zip(pictures, draw_overlays(encoding, 12, (512, 1024)), strict=True):
        assert np.array_equal(picture.pixel_array, with_legend(overlay, encoding))
        assert coloured(overlay.pixels).any()


def test_nothing_found_is_one_slice_without_colour(case: Case) -> None:
    """The picture of a classification: its probabilities are in words."""
    (picture,) = captures(with_values(classified(case)))
    assert not coloured(picture.pixel_array[:512, :335]).any()


def test_the_same_input_gives_the_same_bytes(case: Case) -> None:
    """An archive that has the object already has these very bytes."""
    encoding = with_values(overlapping_lesions(case))
    first, second = ([to_artifact(ArtifactKind.SC, each).sha256 for each in captures(encoding)] for _ in range(2))
    assert first == second


def test_times_are_those_of_the_analysis(pictures: list[Dataset]) -> None:
    """That of the capture too."""
    for picture in pictures:
        assert (picture.ContentDate, picture.ContentTime) == ("20260102", "123015.250000")
        assert (picture.DateOfSecondaryCapture, picture.TimeOfSecondaryCapture) == ("20260102", "123015.250000")


def test_patient_and_study_are_the_sources(tmp_path: Path) -> None:
    """In the header, in UTF-8."""
    case = make_case(tmp_path, VARIANTS["korean"])
    for picture in captures(with_values(case.encoding)):
        assert str(picture.PatientName) == HANGUL_NAME
        assert picture.StudyInstanceUID == case.encoding.data_sets[0].StudyInstanceUID
        assert picture.SpecificCharacterSet == "ISO_IR 192"


def test_the_patient_is_not_in_the_pixels(tmp_path: Path) -> None:
    """Two patients with the same image have the same picture."""
    header = {"PatientName": "SOMEBODY^ELSE", "PatientID": "OTHER-7", "AccessionNumber": "B2"}
    one = captures(with_values(make_case(tmp_path / "one").encoding))
    other = captures(with_values(make_case(tmp_path / "other", SeriesOptions(header=header)).encoding))
    assert [picture.PixelData for picture in one] == [picture.PixelData for picture in other]
