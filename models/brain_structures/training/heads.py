"""Heads to learn from: any T1 series or volume file, on the teacher's grid."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from dicom_node.folder_scan import scan
from inference.domain.geometry import Grid
from inference.headers import read_headers
from inference.resampling import axis_directions, sample
from inference.volume_builder import build_volume

SIDE: Final = 256
"""Voxels of 1 mm along each side of a conformed head, as FreeSurfer's ``mri_convert --conform`` makes it."""

ORIENTATION: Final = "LIA"
"""Axes right to left, superior to inferior, posterior to anterior."""

Image = NDArray[np.uint8]


def open_volume(path: Path) -> tuple[NDArray[np.float32], Grid]:
    """Read a folder of DICOM with one series, or a file that ITK reads (NIfTI, NRRD, enhanced multi-frame DICOM).

    Returns
    -------
    array : (slices, rows, columns) float32 ndarray
    grid
        Where it lies, LPS mm.

    Raises
    ------
    ValueError
        If the folder does not hold exactly one series.
    """
    if path.is_file():
        return _from_itk(sitk.ReadImage(str(path)))
    found = scan(path).series
    if len(found) != 1:
        raise ValueError(f"{path} holds {len(found)} series, not one")
    volume = build_volume(read_headers(found[0].instances))
    return volume.array, volume.grid


def _from_itk(image: sitk.Image) -> tuple[NDArray[np.float32], Grid]:
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    steps = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    slices, rows, columns = array.shape
    return array, Grid((slices, rows, columns), np.array(image.GetOrigin()), steps[:, ::-1])


def conformed_grid(source: Grid) -> Grid:
    """Give the cube of 256 mm around a volume's centre."""
    directions = axis_directions(ORIENTATION)
    centre_mm = source.to_lps((np.array(source.shape) - 1) / 2)
    middle = np.full(3, (SIDE - 1) / 2)
    return Grid((SIDE, SIDE, SIDE), centre_mm - directions @ middle, directions)


def conform(array: NDArray[np.float32], source: Grid, clip_percentile: float = 99.9) -> Image:
    """Bring a head to 256 voxels of 1 mm a side, 0..255.

    Parameters
    ----------
    array : (slices, rows, columns) float32 ndarray
    source
        Where it lies.
    clip_percentile
        What becomes 255, among the voxels of the conformed cube; lower where the coil shades strongly.
    """
    values = sample(array, source, conformed_grid(source))
    low, high = float(values.min()), float(np.percentile(values, clip_percentile))
    scaled: Image = np.rint(255 * np.clip((values - low) / (high - low), 0, 1)).astype(np.uint8)
    return scaled
