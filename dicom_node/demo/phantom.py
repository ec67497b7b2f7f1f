"""A digital head phantom: a label map drawn as a T1-weighted MR series, so that the right answer is known.

The label map (184 × 242 × 216 voxels of 1 mm) is the project's own and shows nobody: 1..17 are the structures of
the ``brain_structures`` model, 18 is cerebrospinal fluid, 19 bone and air-like dark, 20 muscle and skin, 21 fat and
marrow, 0 air. Its true volumes are its voxel counts. A slice has a multiple of 16 pixels: viewers are known that draw
1-bit frames wrongly where frames do not end on a byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

T1_BRIGHTNESS: Final[Mapping[int, float]] = {
    0: 0.01, 1: 0.81, 2: 0.46, 3: 0.25, 4: 0.25, 5: 0.75, 6: 0.48, 7: 0.73, 8: 0.63, 9: 0.68, 10: 0.79,
    11: 0.25, 12: 0.25, 13: 0.75, 14: 0.55, 15: 0.55, 16: 0.63, 17: 0.75, 18: 0.22, 19: 0.08, 20: 0.25, 21: 0.45,
}  # fmt: skip
"""Typical T1 brightness of each label, 0..1."""

FULL_SCALE: Final = 1000
"""Stored value of brightness 1."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """How the phantom is drawn.

    Parameters
    ----------
    seed
        Seed of noise and bias field; it also names the study, so the same seed gives the same UIDs.
    noise
        Standard deviation of the Rician noise, as a part of full scale.
    bias
        Strength of the coil's bias field, as a part of the signal.
    tilt_deg
        Rotation of the head about the left-right axis, so that the slices are oblique.
    """

    seed: int = 0
    noise: float = 0.02
    bias: float = 0.15
    tilt_deg: float = 8.0


def load_labels() -> NDArray[np.uint8]:
    """Read the label map.

    Returns
    -------
    (184, 242, 216) uint8 ndarray
        Axes right→left, superior→inferior, posterior→anterior; 1 mm voxels.
    """
    with as_file(files("dicom_node.demo") / "phantom_labels.npz") as path, np.load(path) as archive:
        labels: NDArray[np.uint8] = archive["labels"]
    return labels


def true_volumes_ml(labels: NDArray[np.uint8]) -> dict[int, float]:
    """Count the voxels of the 17 brain structures.

    Parameters
    ----------
    labels : (R→L, S→I, P→A) uint8 ndarray
        The label map, 1 mm voxels.

    Returns
    -------
    dict
        Volume in mL by label value, 1..17.
    """
    counts = np.bincount(labels.ravel(), minlength=18)
    return {value: float(counts[value]) / 1000.0 for value in range(1, 18)}


def render(labels: NDArray[np.uint8], rendering: Rendering) -> NDArray[np.uint16]:
    """Draw the label map as axial slices.

    Partial volume comes from a point-spread function of 0.6 mm, shading from a smooth random field, noise is
    Rician (Gudbjartsson & Patz 1995).

    Parameters
    ----------
    labels : (R→L, S→I, P→A) uint8 ndarray
        The label map.
    rendering
        Noise, shading and seed.

    Returns
    -------
    (slices I→S, rows A→P, columns R→L) uint16 ndarray
        Stored values.
    """
    rng = np.random.default_rng(rendering.seed)
    brightness = np.array([T1_BRIGHTNESS[value] for value in range(len(T1_BRIGHTNESS))], dtype=np.float32)
    axial = np.ascontiguousarray(labels.transpose(1, 2, 0)[::-1, ::-1, :])
    blurred = sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.GetImageFromArray(brightness[axial]), [0.36] * 3))
    signal = blurred * _bias_field(axial.shape, rendering.bias, rng)
    real = signal + rng.normal(0.0, rendering.noise, signal.shape)
    imaginary = rng.normal(0.0, rendering.noise, signal.shape)
    stored: NDArray[np.uint16] = np.clip(np.hypot(real, imaginary) * FULL_SCALE, 0, 4095).astype(np.uint16)
    return stored


def _bias_field(shape: tuple[int, ...], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = sitk.GetImageFromArray(rng.normal(0.0, strength, (4, 4, 4)).astype(np.float32))
    size = [int(n) for n in reversed(shape)]
    spacing = [3.0 / (n - 1) for n in size]
    smooth = sitk.Resample(coarse, size, sitk.Transform(), sitk.sitkBSpline, [0.0] * 3, spacing)
    field: NDArray[np.float32] = np.exp(sitk.GetArrayFromImage(smooth))
    return field


def data_sets(rendering: Rendering) -> Iterator[Dataset]:
    """Give the phantom as MR Image Storage instances (PS3.3 section A.4), slices in a shuffled order.

    Parameters
    ----------
    rendering
        How it is drawn; equal renderings give equal instances.

    Yields
    ------
    Dataset
        One slice with File Meta, ready to be sent or written.
    """
    pixels = render(load_labels(), rendering)
    order = np.random.default_rng(rendering.seed).permutation(len(pixels))
    for index in order:
        yield _slice(pixels, int(index), rendering)


def write(folder: Path, rendering: Rendering) -> list[Path]:
    """Write the phantom as Part 10 files.

    Parameters
    ----------
    folder
        Where to; it is made.
    rendering
        How it is drawn.

    Returns
    -------
    list
        The files in the order they were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for data_set in data_sets(rendering):
        path = folder / f"IM{int(data_set.InstanceNumber):04d}.dcm"
        data_set.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _uid(rendering: Rendering, *parts: str) -> str:
    name = "/".join(["neuronova phantom", repr(rendering), *parts])
    return f"2.25.{uuid5(NAMESPACE_OID, name).int}"


def _slice(pixels: NDArray[np.uint16], index: int, rendering: Rendering) -> Dataset:
    data_set = _header(rendering)
    rows, columns = pixels.shape[1:]
    angle = np.deg2rad(rendering.tilt_deg)
    along_row = np.array([1.0, 0.0, 0.0])
    down_column = np.array([0.0, np.cos(angle), -np.sin(angle)])
    normal = np.cross(along_row, down_column)
    centre = np.array([columns - 1, rows - 1, len(pixels) - 1]) / 2.0
    position = along_row * -centre[0] + down_column * -centre[1] + normal * (index - centre[2])
    data_set.SOPInstanceUID = _uid(rendering, "instance", str(index))
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    data_set.InstanceNumber = index + 1
    data_set.ImageOrientationPatient = [round(float(v), 10) for v in (*along_row, *down_column)]
    data_set.ImagePositionPatient = [round(float(v), 6) for v in position]
    data_set.Rows, data_set.Columns = rows, columns
    data_set.PixelData = pixels[index].astype("<u2").tobytes()
    return data_set


def _header(rendering: Rendering) -> Dataset:
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.file_meta.MediaStorageSOPClassUID = MRImageStorage
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    data_set.SOPClassUID = MRImageStorage
    data_set.StudyInstanceUID = _uid(rendering, "study")
    data_set.SeriesInstanceUID = _uid(rendering, "series")
    data_set.FrameOfReferenceUID = _uid(rendering, "frame of reference")
    _patient_and_study(data_set, rendering)
    _acquisition(data_set)
    return data_set


def _patient_and_study(data_set: Dataset, rendering: Rendering) -> None:
    data_set.PatientName = "Phantom^Digital Head"
    data_set.PatientID = f"NEURONOVA-PHANTOM-{rendering.seed}"
    data_set.PatientBirthDate = ""
    data_set.PatientSex = "O"
    data_set.StudyDate = data_set.SeriesDate = data_set.AcquisitionDate = data_set.ContentDate = "20260101"
    data_set.StudyTime = data_set.SeriesTime = data_set.AcquisitionTime = data_set.ContentTime = "120000"
    data_set.AccessionNumber = f"PHANTOM{rendering.seed}"
    data_set.StudyID = "PHANTOM"
    data_set.ReferringPhysicianName = ""
    data_set.StudyDescription = "Simulated head"
    data_set.PositionReferenceIndicator = ""


def _acquisition(data_set: Dataset) -> None:
    data_set.Modality = "MR"
    data_set.Manufacturer = "NeuroNova"
    data_set.ManufacturerModelName = "Digital head phantom"
    data_set.SeriesDescription = "T1w MPRAGE simulated"
    data_set.SeriesNumber = 1
    data_set.BodyPartExamined = "HEAD"
    data_set.PatientPosition = "HFS"
    data_set.ScanningSequence = ["GR", "IR"]
    data_set.SequenceVariant = ["SK", "SP", "MP"]
    data_set.ScanOptions = ""
    data_set.MRAcquisitionType = "3D"
    data_set.RepetitionTime, data_set.EchoTime, data_set.InversionTime = 2300.0, 2.98, 900.0
    data_set.FlipAngle, data_set.EchoTrainLength, data_set.MagneticFieldStrength = 9.0, 1, 3.0
    data_set.SliceThickness, data_set.SpacingBetweenSlices, data_set.PixelSpacing = 1.0, 1.0, [1.0, 1.0]
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit, data_set.PixelRepresentation = 16, 12, 11, 0
    data_set.WindowCenter, data_set.WindowWidth = FULL_SCALE * 0.45, FULL_SCALE * 0.9
