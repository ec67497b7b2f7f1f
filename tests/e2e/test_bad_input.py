"""Bad input: everything gets the right status, ends with a named reason, and disturbs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, SecondaryCaptureImageStorage

from inference.errors import ReasonCode
from tests.e2e.conftest import send_and_wait
from tests.support.dcmtk import storescu
from tests.support.hospital import Hospital
from tests.support.raw_scu import raw_scu
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series

pytestmark = pytest.mark.e2e

SLICES = 48


@dataclass(frozen=True)
class BadSeries:
    """A series that must be refused.

    Parameters
    ----------
    options
        How it is made.
    reason
        The reason that must be named.
    """

    options: Callable[[int], SeriesOptions]
    reason: ReasonCode


def _cut_in_half(data_set: Dataset, index: int) -> None:
    if index == SLICES // 2:
        data_set.PixelData = data_set.PixelData[: len(data_set.PixelData) // 4 * 2]


def _drop_pixels(data_set: Dataset, index: int) -> None:
    if index == 3:
        del data_set.PixelData


def _turn_the_upper_half(data_set: Dataset, index: int) -> None:
    if index >= SLICES // 2:
        data_set.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


def _go_back(data_set: Dataset, index: int) -> None:
    """Put the upper half where the lower one is, at another time."""
    if index >= SLICES // 2:
        data_set.ImagePositionPatient[2] -= 3.0 * (SLICES // 2)
        data_set.TemporalPositionIdentifier = 2


def _drift(data_set: Dataset, index: int) -> None:
    data_set.ImagePositionPatient[2] -= 0.02 * index**2


BAD: Mapping[str, BadSeries] = {
    "truncated pixel data": BadSeries(lambda seed: SeriesOptions(seed, edit=_cut_in_half), ReasonCode.PIXEL_CORRUPT),
    "no pixel data": BadSeries(lambda seed: SeriesOptions(seed, edit=_drop_pixels), ReasonCode.PIXEL_MISSING),
    "localizer": BadSeries(
        lambda seed: SeriesOptions(seed, header={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}),
        ReasonCode.LOCALIZER,
    ),
    "secondary capture": BadSeries(
        lambda seed: SeriesOptions(seed, sop_class_uid=SecondaryCaptureImageStorage), ReasonCode.SECONDARY_CAPTURE
    ),
    "phantom": BadSeries(
        lambda seed: SeriesOptions(seed, header={"StudyDescription": "ACR PHANTOM QA"}), ReasonCode.PHANTOM
    ),
    "derived map": BadSeries(
        lambda seed: SeriesOptions(seed, header={"ImageType": ["DERIVED", "PRIMARY", "ADC"]}), ReasonCode.DERIVED
    ),
    "mosaic": BadSeries(
        lambda seed: SeriesOptions(seed, header={"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}),
        ReasonCode.MOSAIC,
    ),
    "two time points": BadSeries(lambda seed: SeriesOptions(seed, edit=_go_back), ReasonCode.REPEATED_POSITION),
    "mixed orientations": BadSeries(
        lambda seed: SeriesOptions(seed, edit=_turn_the_upper_half), ReasonCode.MIXED_ORIENTATION
    ),
    "missing slices": BadSeries(lambda seed: SeriesOptions(seed, omit=frozenset(range(20, 28))), ReasonCode.GAP),
    "uneven spacing": BadSeries(lambda seed: SeriesOptions(seed, edit=_drift), ReasonCode.NON_UNIFORM),
    "too few slices": BadSeries(
        lambda seed: SeriesOptions(seed, omit=frozenset(range(5, SLICES))), ReasonCode.TOO_FEW_SLICES
    ),
    "CT where only MR models exist": BadSeries(
        lambda seed: SeriesOptions(seed, header={"Modality": "CT"}, sop_class_uid=CTImageStorage),
        ReasonCode.MODALITY,
    ),
}


@pytest.fixture(params=BAD)
def refused(request: pytest.FixtureRequest, hospital: Hospital, tmp_path: Path) -> tuple[BadSeries, dict[str, Any]]:
    """Send a bad series straight to the node, declare it complete, and give its study as the API shows it."""
    bad = BAD[request.param]
    seed = 7000 + list(BAD).index(request.param)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 1000, (SLICES, 64, 64))
    paths = write_series(tmp_path, pixels, axial_grid((SLICES, 64, 64), (3.0, 3.0, 3.0)), bad.options(seed))
    storescu(hospital.node.dicom_port, paths, options=["-R"])
    study_uid = str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    hospital.complete(study_uid)
    return bad, hospital.wait_until_decided(study_uid)


def test_bad_series_ends_with_its_named_reason(refused: tuple[BadSeries, dict[str, Any]], hospital: Hospital) -> None:
    """The API names the reason; nothing was sent to archive or report server, and nothing received is lost."""
    bad, study = refused
    (series,) = study["series"]
    assert series["decision"] == "rejected"
    assert series["reason"]["code"] == bad.reason
    assert series["reason"]["message"]
    assert series["instance_count"] == SLICES - len(bad.options(0).omit)
    assert hospital.archived(study["study_uid"], "SEG") == []
    assert hospital.reports(study["study_uid"]) == []


def test_text_file_named_dcm_is_refused_and_the_association_lives(hospital: Hospital, tmp_path: Path) -> None:
    """Text sent as a data set is answered C000, and the next valid instance on the association is taken."""
    grid = axial_grid((1, 16, 16))
    (path,) = write_series(tmp_path, np.zeros((1, 16, 16)), grid, SeriesOptions(seed=7100))
    good = dcmread(path)
    with raw_scu(hospital.node.dicom_port) as scu:
        refused = scu.store(b"This is a shopping list, not an image.", MRImageStorage, "1.2.3.4")
        taken = scu.store(_encoded(path), MRImageStorage, str(good.SOPInstanceUID))
    assert refused.Status & 0xF000 == 0xC000
    assert taken.Status == 0x0000


def test_a_good_study_beside_bad_ones_is_answered(hospital: Hospital, tmp_path: Path) -> None:
    """After all of that, a phantom still goes the whole way."""
    from dicom_node.demo.phantom import Rendering, write

    answered = send_and_wait(hospital, write(tmp_path, Rendering(seed=71)))
    assert answered.job["state"] == "COMPLETED", answered.job


def _encoded(path: Path) -> bytes:
    """Give the data set of a Part 10 file as it goes over the wire."""
    content = path.read_bytes()
    meta_length = int.from_bytes(content[140:144], "little")
    return content[144 + meta_length :]
