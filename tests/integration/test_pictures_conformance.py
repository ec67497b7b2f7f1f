"""Secondary Captures, Encapsulated PDFs and Parametric Maps before tools that nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from inference.encoding.encapsulated_pdf import page_of
from inference.encoding.encoding_input import EncodingInput
from tests.integration.test_encoding_conformance import UNLIKE_THEIR_SOURCE, in_utf_8, real_case
from tests.support.conformance import dcentvfy_errors, dciodvfy_errors, read_parametric_map
from tests.support.enhanced_series import EnhancedOptions
from tests.support.findings import (
    Case,
    classified,
    detections,
    make_case,
    make_spec,
    no_lesions,
    overlapping_lesions,
    place_in,
)
from tests.support.pictures import captures, document, maps, prepared, text_of, with_probabilities, with_values
from tests.support.shared_data import needs_shared
from tests.support.sources import VARIANTS
from tests.support.synthetic_series import SeriesOptions, axial_grid
from tests.unit.inference.encoding.test_source_images import enhanced

pytestmark = pytest.mark.integration


def write(encoding: EncodingInput, folder: Path) -> list[Path]:
    """Build every object and write it."""
    folder.mkdir(parents=True, exist_ok=True)
    valued = with_values(encoding)
    drawn = valued.result.labels is not None and bool(valued.result.segments)
    objects: list[Dataset] = [*captures(valued), document(valued)]
    objects += maps(with_probabilities(valued)) if drawn else []
    paths = []
    for number, built in enumerate(objects):
        paths.append(folder / f"{number}.dcm")
        built.save_as(paths[-1], enforce_file_format=True)
    return paths


def errors(paths: Sequence[Path]) -> list[str]:
    """Check each object against its IOD."""
    return [error for path in paths for error in dciodvfy_errors(path)]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("variant", VARIANTS)
def test_objects_of_every_kind_of_source_conform(tmp_path: Path, variant: str) -> None:
    """A capture, a document and three maps, whatever is wrong with the source; and they belong to it."""
    case = make_case(tmp_path / "source", VARIANTS[variant])
    paths = write(case.encoding, tmp_path / "results")
    assert len(paths) == 5
    assert errors(paths) == []
    if variant not in UNLIKE_THEIR_SOURCE:
        assert dcentvfy_errors([*in_utf_8(case.paths, tmp_path / "utf-8"), *paths]) == []


def test_the_checkers_find_what_is_wrong(tmp_path: Path) -> None:
    """A check that cannot fail proves nothing."""
    case = make_case(tmp_path / "source")
    paths = write(case.encoding, tmp_path / "results")
    for path, keyword in zip(paths, ("ConversionType", "MIMETypeOfEncapsulatedDocument", "ImageType"), strict=False):
        spoilt = dcmread(path)
        del spoilt[keyword]
        spoilt.PatientID = "SOMEBODY-ELSE"
        spoilt.save_as(path)
        assert dciodvfy_errors(path)
        assert dcentvfy_errors([*case.paths, path])


KINDS: Mapping[str, Callable[[Case], EncodingInput]] = {
    "overlapping segments": overlapping_lesions,
    "nothing found": no_lesions,
    "classification": classified,
    "detections": lambda case: detections(case, [place_in(case.encoding.volume.grid, (2, 4, 3), (4, 10, 8))]),
    "no detection": lambda case: detections(case, []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_every_kind_of_result_conform(tmp_path: Path, kind: str) -> None:
    """There is a picture and a page of each."""
    case = make_case(tmp_path / "source")
    paths = write(KINDS[kind](case), tmp_path / "results")
    assert len(paths) >= 2
    assert errors(paths) == []
    assert dcentvfy_errors([*in_utf_8(case.paths, tmp_path / "utf-8"), *paths]) == []


@pytest.mark.parametrize(
    "options",
    [
        EnhancedOptions(),
        EnhancedOptions(per_frame=True, instances=2),
        EnhancedOptions(SeriesOptions(header={"Modality": "CT"}), sop_class_uid=EnhancedCTImageStorage),
    ],
    ids=["enhanced MR", "per frame, concatenation", "enhanced CT"],
)
def test_objects_of_a_multi_frame_source_conform(tmp_path: Path, options: EnhancedOptions) -> None:
    """And no reference leads nowhere."""
    encoding = enhanced(tmp_path / "source", options)
    paths = write(encoding, tmp_path / "results")
    assert errors(paths) == []
    sources = sorted((tmp_path / "source").iterdir())
    assert [line for line in dcentvfy_errors([*sources, *paths]) if "results" in line] == []


def test_dcmqi_reads_a_map_back_voxel_for_voxel(tmp_path: Path) -> None:
    """In patient coordinates."""
    encoding = with_probabilities(make_case(tmp_path / "source").encoding)
    probabilities = encoding.result.probabilities
    assert probabilities is not None
    for number, built in enumerate(maps(encoding)):
        path = tmp_path / f"{number}.dcm"
        built.save_as(path, enforce_file_format=True)
        image = sitk.ReadImage(str(read_parametric_map(path, tmp_path / str(number))))
        array = sitk.GetArrayFromImage(image)
        grid = encoding.volume.grid
        indices = np.argwhere(probabilities[number] > 0)
        for index, lps in zip(indices[::7], grid.to_lps(indices[::7].astype(np.float64)), strict=True):
            x, y, z = image.TransformPhysicalPointToIndex([float(value) for value in lps])
            assert array[z, y, x] == pytest.approx(probabilities[number][tuple(index)] / 255, abs=1e-5)
        assert np.count_nonzero(array) == len(indices)


def page_text(encoding: EncodingInput, folder: Path) -> str:
    """Let poppler read the page."""
    images, source, _ = prepared(with_values(encoding))
    path = folder / "page.pdf"
    path.write_bytes(page_of(images, source))
    return text_of(path)


def test_the_text_of_a_page_can_be_read(tmp_path: Path) -> None:
    """By whoever searches or copies it: each structure in its row."""
    text = page_text(make_case(tmp_path / "source").encoding, tmp_path)
    assert text.count("Research use only. Not for diagnosis. As the model made it, before any review.") == 2
    rows = [" ".join(line.split()) for line in text.splitlines()]
    for row in (
        "Thalamus 0.0594",
        "Hippocampus 0.119",
        "Brain Stem 0.198",
        "All structures 0.376",
    ):
        assert row in rows
    assert any(row.startswith("Image 2, ") for row in rows), rows
    assert text.count("\f") == 1


@pytest.mark.parametrize(
    "name", ["Hong^Gildong=洪^吉洞=홍^길동", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Иванов^Пётр", "Müller^Jürgen"]
)
def test_names_in_any_script_are_on_the_page(tmp_path: Path, name: str) -> None:
    """As text, not as boxes."""
    case = make_case(tmp_path / "source", SeriesOptions(header={"PatientName": name}))
    (line,) = [line for line in page_text(case.encoding, tmp_path).splitlines() if line.startswith("Patient  ")]
    assert all(part in line for part in name.replace("=", "^").split("^"))


def test_all_of_a_hundred_structures_are_on_the_page(tmp_path: Path) -> None:
    """Beside four pictures; and it is one page."""
    grid = axial_grid((4, 64, 64))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for value in range(1, 101):
        row, column = divmod(value - 1, 10)
        labels[value % 4, row * 6 : row * 6 + 5, column * 6 : column * 6 + 5] = value
    case = make_case(tmp_path / "source", grid=grid, labels=labels, spec=make_spec(100))
    text = page_text(case.encoding, tmp_path)
    assert text.count("\f") == 1
    assert "more" not in text
    assert text.count(" 0.025") == 100


@needs_shared
@pytest.mark.parametrize("name", ["mr-t1-2d-sag-decubitus-left", "mr-phantom-j2k"])
def test_objects_on_real_series_conform(tmp_path: Path, name: str) -> None:
    """Oblique, lying on the side, compressed."""
    paths, encoding = real_case(name)
    written = write(encoding, tmp_path / "results")
    assert errors(written) == []
    assert [line for line in dcentvfy_errors([*paths, *written]) if "results" in line] == []
