"""Everything that a result consists of, for many kinds of sources, before checkers that nobody here wrote.

Defects, geometries and containers are tried in every sensible combination: at least thirty sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, JPEG2000Lossless, JPEGLSLossless, RLELossless

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import RESULT_KINDS, Order
from inference.domain.geometry import Grid
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.objects import encode
from tests.integration.test_encoding_conformance import UNLIKE_THEIR_SOURCE, in_utf_8
from tests.support.conformance import dcentvfy_errors, dciodvfy_errors
from tests.support.enhanced_series import EnhancedOptions
from tests.support.findings import make_case
from tests.support.sources import VARIANTS, korean, no_frame_of_reference, seoul_time
from tests.support.synthetic_series import SeriesOptions, axial_grid
from tests.unit.inference.encoding.test_source_images import enhanced

pytestmark = pytest.mark.integration

SHAPE = (6, 20, 16)
EVERYTHING = Order(RESULT_KINDS)


@dataclass(frozen=True)
class Source:
    """A source with a result on it.

    Parameters
    ----------
    encoding
        What is to be encoded.
    paths
        Its files, where objects can be compared with them.
    """

    encoding: EncodingInput
    paths: tuple[Path, ...] = ()


def classic(options: SeriesOptions, grid: Grid | None = None) -> Callable[[Path], Source]:
    """Give what writes a series of single-frame images."""

    def write(folder: Path) -> Source:
        """Write it."""
        case = make_case(folder, options, grid)
        return Source(case.encoding, tuple(case.paths))

    return write


def multi_frame(options: EnhancedOptions) -> Callable[[Path], Source]:
    """Give what writes an enhanced series."""
    return lambda folder: Source(enhanced(folder, options))


def turned(steps_mm: list[list[float]]) -> Grid:
    """Give a grid by the columns of its steps: to the next slice, row and column, LPS mm."""
    return Grid(SHAPE, np.array([-20.0, -30.0, 10.0]), np.array(steps_mm, dtype=np.float64).T)


CT = SeriesOptions(sop_class_uid=CTImageStorage, header={"Modality": "CT"})
OBLIQUE = turned([[0.5, 0.3, 2.4], [0.2, 1.05, -0.17], [0.87, -0.19, -0.16]])
TILTED = turned([[0.0, 0.9, 2.4], [0.0, 1.1, 0.0], [0.9, 0.0, 0.0]])
"""A gantry tilt: the step between slices is not at right angles to them."""

SOURCES: Mapping[str, Callable[[Path], Source]] = {
    **{name: classic(options) for name, options in VARIANTS.items()},
    "sagittal": classic(SeriesOptions(), turned([[2.5, 0, 0], [0, 0, -1.1], [0, 0.9, 0]])),
    "coronal": classic(SeriesOptions(), turned([[0, 2.5, 0], [0, 0, -1.1], [0.9, 0, 0]])),
    "from head to foot": classic(SeriesOptions(), turned([[0, 0, -2.5], [0, 1.1, 0], [0.9, 0, 0]])),
    "tilted CT": classic(CT, TILTED),
    "tilted CT, Korean": classic(replace(CT, edit=korean), TILTED),
    "tilted CT, no frame of reference": classic(replace(CT, edit=no_frame_of_reference), TILTED),
    "thick slices": classic(SeriesOptions(), axial_grid(SHAPE, (8.0, 0.4, 0.4))),
    "coarse pixels": classic(SeriesOptions(), axial_grid(SHAPE, (1.0, 3.0, 2.0))),
    "signed pixels": classic(replace(CT, stored_type="int16")),
    "8 bit": classic(SeriesOptions(stored_type="uint16", bits_stored=12)),
    "slices in no order": classic(SeriesOptions(order=(3, 0, 5, 1, 4, 2))),
    "Korean, one slice missing": classic(SeriesOptions(edit=korean, omit=frozenset({3}))),
    "Korean CT in its zone": classic(replace(CT, edit=seoul_time)),
    "RLE": classic(SeriesOptions(transfer_syntax_uid=RLELossless)),
    "JPEG-LS": classic(SeriesOptions(transfer_syntax_uid=JPEGLSLossless)),
    "JPEG 2000": classic(SeriesOptions(transfer_syntax_uid=JPEG2000Lossless)),
    "enhanced MR": multi_frame(EnhancedOptions()),
    "enhanced MR, per frame": multi_frame(EnhancedOptions(per_frame=True)),
    "enhanced MR, Korean": multi_frame(EnhancedOptions(SeriesOptions(edit=korean))),
    "enhanced MR, concatenation": multi_frame(EnhancedOptions(instances=2)),
    "enhanced CT": multi_frame(
        EnhancedOptions(SeriesOptions(header={"Modality": "CT"}), sop_class_uid=EnhancedCTImageStorage)
    ),
}


def test_there_are_enough_of_them() -> None:
    """The number that was promised."""
    assert len(SOURCES) >= 30


def write_objects(artifacts: tuple[DicomArtifact, ...], folder: Path) -> list[Path]:
    """Write objects as files."""
    folder.mkdir()
    paths = []
    for number, artifact in enumerate(artifacts):
        paths.append(folder / f"{number:02d}-{artifact.kind.value}.dcm")
        paths[-1].write_bytes(artifact.content)
    return paths


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SOURCES)
def test_every_object_conforms_and_belongs_to_its_source(tmp_path: Path, name: str) -> None:
    """No error in any object by itself, and none in all of them together with their source."""
    source = SOURCES[name](tmp_path / "source")

    paths = write_objects(encode(replace(source.encoding, order=EVERYTHING)), tmp_path / "results")

    assert {path.stem[3:] for path in paths} == {"SEG", "SR", "SC", "PDF", "KOS"}
    assert {path.name: dciodvfy_errors(path) for path in paths} == {path.name: [] for path in paths}
    if source.paths and name not in UNLIKE_THEIR_SOURCE:
        assert dcentvfy_errors([*in_utf_8(source.paths, tmp_path / "utf-8"), *paths]) == []
