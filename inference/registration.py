"""Bringing a further channel to the reference: a rotation and a translation, searched for on the images.

Mattes mutual information knows no contrast, so a T2 is brought to a T1; 4 mm voxels are enough for less than a
millimetre, because the measure sees a hundred thousand of them. All of them are used and one thread adds them up, so
the same images always give the same answer, bit by bit. [Mattes et al., "PET-CT image registration in the chest using
free-form deformations", IEEE TMI 22 (2003); optimiser and scales: ITK 5 ``RegularStepGradientDescentOptimizerv4``,
``RegistrationParameterScalesFromPhysicalShift``.]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import SimpleITK as sitk

from inference.domain.geometry import FloatArray, Grid
from inference.domain.volume import Volume
from inference.errors import ReasonCode, UnsupportedGeometry
from inference.resampling import covering_grid, sample

VOXEL_MM: Final = 4.0
MOST_VOXELS: Final = 2**20
"""Larger fields of view are compared on coarser voxels, so that the time is bounded."""

SHRINK_FACTORS: Final = (4, 2, 1)
SMOOTHING_VOXELS: Final = (2.0, 1.0, 0.0)
"""Coarse to fine: 16, 8 and 4 mm, each smoothed by half its voxel."""

HISTOGRAM_BINS: Final = 32
FIRST_STEP_MM: Final = 4.0
LAST_STEP_MM: Final = 0.02
SHORTENED_BY: Final = 0.9
"""The step is shortened where the direction turns around. ITK's own 0.5 is faster by two seconds and stops in the
narrow valley that a round head leaves to the rotation: 15 mm off where this is 0.6 mm off."""

MOST_STEPS: Final = 300

MOST_SHIFT_MM: Final = 40.0
MOST_TURN_DEG: Final = 30.0
"""Patients move by millimetres between two series of a study; a search that goes so far has lost its way."""

_UPRIGHT: Final = "SPL"
"""Array axes of an ITK image whose directions are those of the patient."""


@dataclass(frozen=True, eq=False)
class RigidMotion:
    """A rotation about a point, then a translation, in patient LPS millimetres.

    Parameters
    ----------
    rotation : (3, 3) ndarray
        From positions in the reference to positions in the moving volume.
    centre_mm : (3,) ndarray
        The point that is only translated: the centre of the reference.
    translation_mm : (3,) ndarray
        By how much.
    """

    rotation: FloatArray
    centre_mm: FloatArray
    translation_mm: FloatArray

    @property
    def shift_mm(self) -> float:
        """How far the centre of the reference moved."""
        return float(np.linalg.norm(self.translation_mm))

    @property
    def turn_deg(self) -> float:
        """Angle of the rotation about its axis."""
        cosine = (np.trace(self.rotation) - 1) / 2
        return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))

    def undone(self, grid: Grid) -> Grid:
        """Move a grid of the moving volume to where its voxels lie in the reference."""
        back = self.rotation.T
        origin = back @ (grid.origin_mm - self.centre_mm - self.translation_mm) + self.centre_mm
        return Grid(grid.shape, origin, back @ grid.steps_mm)


@dataclass(frozen=True, eq=False)
class Registered:
    """A volume brought to the reference.

    Parameters
    ----------
    volume
        The same values on the moved grid, so that it is still resampled only once.
    motion
        What was found.
    """

    volume: Volume
    motion: RigidMotion


def register(moving: Volume, reference: Volume) -> Registered:
    """Search for the motion that lays one volume on another.

    Parameters
    ----------
    moving, reference
        Two volumes of one patient, of any contrast, spacing and orientation. The search begins where their headers
        say that they lie.

    Returns
    -------
    Registered

    Raises
    ------
    UnsupportedGeometry
        REGISTRATION when the search does not settle, finds no overlap, or ends too far away.
    """
    motion = _search(_image(reference), _image(moving), reference.grid)
    if motion.shift_mm > MOST_SHIFT_MM or motion.turn_deg > MOST_TURN_DEG:
        raise _refused(f"they would have moved by {motion.shift_mm:.0f} mm and {motion.turn_deg:.0f}°")
    return Registered(replace(moving, grid=motion.undone(moving.grid)), motion)


def _search(fixed: sitk.Image, moving: sitk.Image, grid: Grid) -> RigidMotion:
    centre_mm = grid.to_lps((np.array(grid.shape) - 1) / 2)
    transform = sitk.Euler3DTransform()
    transform.SetCenter(centre_mm.tolist())
    method = _method()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError as error:
        raise _refused("they do not overlap, or one is empty") from error
    if method.GetOptimizerIteration() >= MOST_STEPS:
        raise _refused("the search does not settle")
    rotation = np.array(transform.GetMatrix()).reshape(3, 3)
    return RigidMotion(rotation, centre_mm, np.array(transform.GetTranslation()))


def _method() -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)
    method.SetMetricAsMattesMutualInformation(HISTOGRAM_BINS)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        FIRST_STEP_MM,
        LAST_STEP_MM,
        MOST_STEPS,
        SHORTENED_BY,
        gradientMagnitudeTolerance=1e-8,
        estimateLearningRate=method.Never,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(SHRINK_FACTORS)
    method.SetSmoothingSigmasPerLevel([voxels * VOXEL_MM for voxels in SMOOTHING_VOXELS])
    method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    return method


def _image(volume: Volume) -> sitk.Image:
    """Sample a volume, however it lies, as an upright ITK image in patient coordinates."""
    grid = covering_grid(volume.grid, _UPRIGHT, VOXEL_MM)
    coarser = (np.prod(grid.shape, dtype=np.float64) / MOST_VOXELS) ** (1 / 3)
    if coarser > 1:
        grid = covering_grid(volume.grid, _UPRIGHT, VOXEL_MM * float(coarser))
    image = sitk.GetImageFromArray(sample(volume.array, volume.grid, grid))
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetOrigin(grid.origin_mm.tolist())
    return image


def _refused(why: str) -> UnsupportedGeometry:
    return UnsupportedGeometry(ReasonCode.REGISTRATION, f"the series cannot be laid on one another: {why}")
