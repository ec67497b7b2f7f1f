"""Drawings of known size for the benchmark of encoding: ellipsoids in a volume, and a source that they lie on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.domain.codes import Code
from inference.domain.geometry import Grid
from inference.domain.model_spec import LabelSpec, ModelSpec
from models.catalogue import FolderCatalogue, builtin_models_root
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series

SOURCE: Final = "source"
LABELS: Final = "labels.npy"
IMAGE: Final = "labels.nrrd"
METADATA: Final = "metadata.json"
OURS: Final = "ours.dcm"
THEIRS: Final = "theirs.dcm"


@dataclass(frozen=True)
class Drawing:
    """What is drawn.

    Parameters
    ----------
    shape
        Slices, rows, columns.
    segments
        How many.
    radii
        Smallest and largest radius of an ellipsoid, as a part of the volume's side.
    """

    shape: tuple[int, int, int]
    segments: int
    radii: tuple[float, float]

    @property
    def title(self) -> str:
        """Say how large it is."""
        slices, rows, columns = self.shape
        return f"{slices} slices of {rows} x {columns}, {self.segments} segments"

    @property
    def grid(self) -> Grid:
        """Where the volume lies."""
        return axial_grid(self.shape, (1.0, 0.8, 0.8))

    @property
    def spec(self) -> ModelSpec:
        """A model of so many structures: the first that is built in, with its first label again and again."""
        spec = FolderCatalogue([builtin_models_root()]).active()[0]
        numbers = range(1, self.segments + 1)
        labels = tuple(replace(spec.labels[0], value=number, name=f"Structure {number}") for number in numbers)
        return replace(spec, labels=labels)

    def draw(self) -> NDArray[np.uint8]:
        """Draw the ellipsoids, each over those before it."""
        random, labels = np.random.default_rng(1), np.zeros(self.shape, dtype=np.uint8)
        size = np.array(self.shape)
        for number in range(1, self.segments + 1):
            radii = random.uniform(*self.radii, 3) * size
            centre = random.uniform(radii, size - radii - 1)
            box = tuple(
                slice(int(low), int(high) + 2) for low, high in zip(centre - radii, centre + radii, strict=True)
            )
            axes = np.ogrid[box]
            off = [((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)]
            labels[box][off[0] + off[1] + off[2] <= 1] = number
        return labels

    def write(self, folder: Path) -> None:
        """Write the source, and the drawing for us and for dcmqi."""
        labels = self.draw()
        folder.mkdir()
        write_series(folder / SOURCE, np.zeros(self.shape, dtype=np.uint16), self.grid, SeriesOptions())
        np.save(folder / LABELS, labels)
        image = sitk.GetImageFromArray(labels)
        image.SetSpacing([float(mm) for mm in self.grid.spacing_mm[::-1]])
        image.SetOrigin([float(mm) for mm in self.grid.origin_mm])
        sitk.WriteImage(image, str(folder / IMAGE))
        (folder / METADATA).write_text(json.dumps(_metadata(self.spec)), encoding="utf-8")


DRAWINGS: Final[Mapping[str, Drawing]] = {
    "small": Drawing((256, 256, 256), 17, (0.08, 0.25)),
    "large": Drawing((600, 512, 512), 100, (0.03, 0.1)),
}
"""By name of their folder, in which dcmqi accepts no comma."""


def _metadata(spec: ModelSpec) -> dict[str, Any]:
    """Describe the segments as dcmqi wants it."""
    return {
        "ContentCreatorName": "Benchmark",
        "SeriesDescription": "Segmentation",
        "SeriesNumber": "9000",
        "InstanceNumber": "1",
        "BodyPartExamined": "",
        "segmentAttributes": [[_attributes(label) for label in spec.labels]],
    }


def _attributes(label: LabelSpec) -> dict[str, Any]:
    return {
        "labelID": label.value,
        "SegmentLabel": label.name,
        "SegmentDescription": label.name,
        "SegmentAlgorithmType": "AUTOMATIC",
        "SegmentAlgorithmName": "benchmark",
        "SegmentedPropertyCategoryCodeSequence": _code(label.category),
        "SegmentedPropertyTypeCodeSequence": _code(label.type),
        "recommendedDisplayRGBValue": list(label.colour_rgb),
    }


def _code(code: Code) -> dict[str, str]:
    return {"CodeValue": code.value, "CodingSchemeDesignator": code.scheme, "CodeMeaning": code.meaning}
