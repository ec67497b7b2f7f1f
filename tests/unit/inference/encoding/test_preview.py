"""A preview shows the voxels that were analysed and what was found in them, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.domain.codes import Code
from inference.domain.identifiers import JobID
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.preview import build_preview
from inference.encoding.preview_file import LEVELS, PreviewFile
from inference.encoding.preview_picture import View, draw
from inference.encoding.windowing import Window
from inference.errors import EncodingError
from integrations.preview_folder import PreviewFolder
from tests.support.findings import Case, classified, make_case, mask_of, overlapping_lesions
from tests.support.pictures import coloured, with_values
from tests.support.synthetic_series import SeriesOptions, axial_grid

SHAPE = (6, 20, 16)
WINDOW = Window(0.0, 200.0)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Give an ordinary source and result; pixels are not square."""
    return make_case(tmp_path)


def written(folder: Path, encoding: EncodingInput, window: Window = WINDOW, modality: str = "MR") -> PreviewFile:
    """Write a preview and open it."""
    path = folder / f"{window.inverted}.preview"
    path.write_bytes(b"".join(build_preview(encoding.volume, encoding.result, window, modality)))
    return PreviewFile(path)


def _values(preview: PreviewFile) -> NDArray[np.float32]:
    return np.stack([preview.values(index) for index in range(preview.header.shape[0])])


def _picture(
    preview: PreviewFile, index: int, shown: Sequence[int] = (), window: Window = WINDOW
) -> NDArray[np.uint8]:
    content = draw(preview, View(index, (window.low, window.high), shown))
    return np.asarray(Image.open(BytesIO(content)))


def test_whole_numbers_are_kept_as_they_are(tmp_path: Path, case: Case) -> None:
    """A CT is windowed anywhere between air and metal without a step being seen."""
    values = np.random.default_rng(0).integers(-1024, 3071, SHAPE).astype(np.float32)
    preview = written(tmp_path, with_values(case.encoding, values))

    assert np.array_equal(_values(preview), values)
    assert (preview.header.low, preview.header.step) == (values.min(), 1.0)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_other_numbers_are_kept_to_a_step(tmp_path: Path, case: Case, scale: float) -> None:
    """Each of 4096 is less than any screen shows."""
    values = np.random.default_rng(0).normal(0, scale, SHAPE).astype(np.float32)
    preview = written(tmp_path, with_values(case.encoding, values))

    assert np.abs(_values(preview) - values).max() <= 0.51 * np.ptp(values) / LEVELS


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_volume_that_says_nothing_is_kept_all_the_same(tmp_path: Path, case: Case, value: float) -> None:
    """An even one, and one without a number; it is looked at because something is wrong with it."""
    preview = written(tmp_path, with_values(case.encoding, np.full(SHAPE, value)))

    assert np.isfinite(_values(preview)).all()


def test_what_was_found_is_kept_voxel_by_voxel(tmp_path: Path, case: Case) -> None:
    """Label values of a label map, with names, colours, volumes and the identity under which SEG and SR know them."""
    result = case.encoding.result
    assert result.labels is not None
    preview = written(tmp_path, case.encoding)

    for index in range(SHAPE[0]):
        drawn = dict(preview.drawn(index))
        expected = [value for value in np.unique(result.labels[index]).tolist() if value]
        assert sorted(drawn) == expected
        assert all(np.array_equal(mask, result.labels[index] == value) for value, mask in drawn.items())
    for structure, segment in zip(preview.header.structures, result.segments, strict=True):
        assert (structure.number, structure.label) == (segment.label.value, segment.label.name)
        assert (structure.colour_rgb, structure.code) == (segment.label.colour_rgb, segment.label.type.value)
        assert structure.volume_ml == pytest.approx(segment.volume.value, abs=0.001)
        assert structure.tracking_uid == segment.volume.tracking_uid


def test_structures_may_overlap(tmp_path: Path, case: Case) -> None:
    """A tumour within its edema is both."""
    encoding = overlapping_lesions(case)
    assert encoding.result.labels is not None
    preview = written(tmp_path, encoding)

    for index in range(SHAPE[0]):
        drawn = dict(preview.drawn(index))
        for value in (1, 2):
            expected = mask_of(encoding.result.labels, value)[index]
            assert np.array_equal(drawn.get(value, np.zeros_like(expected)), expected)


def test_sides_of_structures_are_kept(tmp_path: Path, case: Case) -> None:
    """Left and right of one name are told apart."""
    left = Code("7771000", "SCT", "Left")
    first, *others = case.encoding.result.segments
    segments = (replace(first, label=replace(first.label, laterality=left)), *others)
    encoding = replace(case.encoding, result=replace(case.encoding.result, segments=segments))

    assert [one.laterality for one in written(tmp_path, encoding).header.structures] == ["7771000", None, None]


def test_a_result_that_draws_nothing_shows_the_source(tmp_path: Path, case: Case) -> None:
    """A classification has no place."""
    preview = written(tmp_path, with_values(classified(case), np.full(SHAPE, 100.0)))

    assert preview.header.structures == ()
    assert _picture(preview, 0).ndim == 2


def test_slices_that_the_source_lacks_are_named(tmp_path: Path) -> None:
    """What was interpolated looks like an image and is none."""
    encoding = make_case(tmp_path).encoding
    frames = (*encoding.volume.frames[:2], None, *encoding.volume.frames[3:])
    encoding = replace(encoding, volume=replace(encoding.volume, frames=frames))

    assert written(tmp_path, encoding).header.interpolated == (2,)


def test_sides_of_the_patient_are_named(tmp_path: Path, case: Case) -> None:
    """As a radiologist expects them of an axial slice."""
    assert written(tmp_path, case.encoding).header.sides == ("R", "L", "A", "P")


def test_a_very_large_slice_is_kept_coarser(tmp_path: Path) -> None:
    """No picture shows more; masks stay where their values are, and proportions stay."""
    grid = axial_grid((2, 40, 2100), (2.0, 1.0, 0.5))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[:, 10:20, 600:900] = 1
    encoding = with_values(make_case(tmp_path, SeriesOptions(), grid, labels).encoding, labels * 100.0)
    preview = written(tmp_path, encoding)

    assert preview.header.shape == (2, 14, 700)
    assert preview.header.spacing_mm == pytest.approx((2.0, 3.0, 1.5))
    ((number, mask),) = preview.drawn(0)
    assert number == 1
    assert np.array_equal(mask, preview.values(0) == 100)


def test_pictures_are_in_true_proportions(tmp_path: Path, case: Case) -> None:
    """Voxels of 1.1 by 0.9 mm are no squares."""
    rows, columns = _picture(written(tmp_path, case.encoding), 0).shape

    assert rows / columns == pytest.approx(20 * 1.1 / (16 * 0.9), rel=0.01)


def test_a_window_makes_black_and_white(tmp_path: Path, case: Case) -> None:
    """Whoever looks chooses; what the source turns stays turned."""
    encoding = with_values(case.encoding, np.full(SHAPE, 50.0))
    preview = written(tmp_path, encoding)
    turned = written(tmp_path, encoding, replace(WINDOW, inverted=True))

    greys = [int(_picture(preview, 0, window=Window(*span)).max()) for span in ((0, 100), (0, 50), (50, 100))]
    assert greys == [128, 255, 0]
    assert int(_picture(turned, 0, window=Window(0, 50)).max()) == 0


def test_only_what_is_asked_for_is_drawn(tmp_path: Path, case: Case) -> None:
    """Where it is, in its colour, and nothing elsewhere."""
    labels = case.encoding.result.labels
    assert labels is not None
    preview = written(tmp_path, with_values(case.encoding, np.full(SHAPE, 100.0)))
    index = int(np.argmax((labels == 1).sum(axis=(1, 2))))

    picture = _picture(preview, index, [1, 99])

    rows, columns = (np.arange(size) * count // size for size, count in zip(picture.shape, SHAPE[1:], strict=False))
    where = (labels[index] == 1)[np.ix_(rows, columns)]
    assert np.mean(coloured(picture) != where) < 0.002
    (colour,) = [one.colour_rgb for one in preview.header.structures if one.number == 1]
    assert list(colour) in np.unique(picture[where], axis=0).tolist()
    assert _picture(preview, index, [99]).ndim == 2


@pytest.mark.parametrize("content", [b"", b"NNPREV1\n", b"NNPREV1\n\x02\x00\x00\x00{}", b"something else altogether"])
def test_what_is_no_preview_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    """A disk may lose half of a file."""
    path = tmp_path / "one.preview"
    path.write_bytes(content)

    with pytest.raises(EncodingError):
        PreviewFile(path)


def test_a_damaged_slice_is_said_to_be_damaged(tmp_path: Path, case: Case) -> None:
    """And not shown as if it were an image."""
    path = tmp_path / "one.preview"
    parts = build_preview(case.encoding.volume, case.encoding.result, WINDOW, "MR")
    path.write_bytes(parts[0] + b"\0" * 10_000)

    with pytest.raises(EncodingError):
        PreviewFile(path).values(0)


def test_a_preview_that_is_replaced_meanwhile_is_shown_to_its_end(tmp_path: Path, case: Case) -> None:
    """Half of one and half of another would be a picture of nobody."""
    folder = PreviewFolder(tmp_path)
    editions = []
    for value in (50.0, 7.0):
        encoding = with_values(case.encoding, np.full(SHAPE, value))
        folder.save(JobID("a" * 32), build_preview(encoding.volume, encoding.result, WINDOW, "MR"))
        path = folder.find(JobID("a" * 32))
        assert path is not None
        editions.append(PreviewFile(path))
    first, second = editions

    assert (float(first.values(0).max()), float(second.values(0).max())) == (50.0, 7.0)
    assert first.edition != second.edition
