"""An enhanced multi-frame study with a Korean name goes the whole line: one object in, right answers out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.demo.phantom import Rendering, load_labels, render, true_volumes_ml
from tests.e2e.conftest import Answered, send_and_wait
from tests.support.enhanced_series import EnhancedOptions, frames_on, write_enhanced
from tests.support.hospital import Hospital
from tests.support.segmentation_reader import read_segments
from tests.support.synthetic_series import SeriesOptions, axial_grid

pytestmark = pytest.mark.e2e

SEED = 7200
NAME = "Hong^Gildong=洪^吉洞=홍^길동"
HEADER: Mapping[str, Any] = {
    "SpecificCharacterSet": ["", "ISO 2022 IR 149"],
    "PatientName": NAME,
    "PatientID": "KR-7200",
    "StudyDescription": "뇌 MRI",
}


@pytest.fixture(scope="module")
def answered(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Answered:
    """Give the digital head as one Enhanced MR instance, frames in any order, answered."""
    pixels = render(load_labels(), Rendering(seed=SEED))
    order = [int(index) for index in np.random.default_rng(SEED).permutation(len(pixels))]
    frames = frames_on(pixels, axial_grid(pixels.shape), order)
    options = EnhancedOptions(SeriesOptions(SEED, header=HEADER))
    return send_and_wait(hospital, write_enhanced(tmp_path_factory.mktemp("enhanced"), frames, options))


def test_it_is_analysed_like_any_other(answered: Answered, hospital: Hospital) -> None:
    """The same phantom as slices has the same true volumes."""
    assert answered.job["state"] == "COMPLETED", answered.job
    (seg,) = hospital.archived(answered.study_uid, "SEG")
    measured = [segment.volume_ml for segment in read_segments(seg).values()]
    assert sum(measured) == pytest.approx(sum(true_volumes_ml(load_labels()).values()), rel=0.03)


def test_the_frames_that_were_segmented_are_named(answered: Answered, hospital: Hospital) -> None:
    """Each frame of the SEG cites the frame of the source that lies where it lies."""
    (seg,) = hospital.archived(answered.study_uid, "SEG")
    source = dcmread(answered.paths[0], stop_before_pixels=True)
    lies_at = [
        np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for frame in source.PerFrameFunctionalGroupsSequence
    ]
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (cited,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert cited.ReferencedSOPInstanceUID == source.SOPInstanceUID
        position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        number = int(cited.ReferencedFrameNumber)
        np.testing.assert_allclose(position, lies_at[number - 1], atol=1e-3)


def test_the_name_is_the_same_everywhere(answered: Answered, hospital: Hospital) -> None:
    """In SEG and SR, in the API's list, and in all three forms in FHIR."""
    (seg,), (sr,) = (hospital.archived(answered.study_uid, kind) for kind in ("SEG", "SR"))
    assert (str(seg.PatientName), str(sr.PatientName)) == (NAME, NAME)
    assert seg.StudyDescription == sr.StudyDescription == HEADER["StudyDescription"]
    assert answered.study["patient_name"] == NAME
    (report,) = hospital.reports(answered.study_uid)
    patient = hospital.fhir.get(report["subject"]["reference"])
    said = ["^".join([name["family"], *name["given"]]) for name in patient["name"]]
    assert said == NAME.split("=")
    assert hospital.fhir.faults(patient) == []
