"""Studies to be looked at: the middle of the digital head with true labels, and what the encoder makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dicom_node.demo.phantom import Rendering, load_labels, render
from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import RESULT_KINDS, Order
from inference.domain.model_inputs import ModelInputs
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.objects import encode
from inference.headers import read_headers
from inference.uids import OutputUIDs
from inference.volume_builder import build_volume
from models.catalogue import FolderCatalogue, builtin_models_root
from tests.support.enhanced_series import EnhancedOptions, frames_on, write_enhanced
from tests.support.findings import PRODUCED_AT, make_result
from tests.support.orthanc_server import OrthancServer
from tests.support.synthetic_series import SeriesOptions, axial_grid, revision_of, write_series

SLICES: Final = slice(124, 172)
"""Slices of the phantom that hold a part of each of the 17 structures."""

STRUCTURES: Final = 17

HEADER: Final[Mapping[str, Any]] = {
    "PatientName": "홍^길동",
    "PatientBirthDate": "",
    "StudyDescription": "Simulated head",
    "SeriesDescription": "T1w MPRAGE simulated",
    "Manufacturer": "NeuroNova",
    "WindowCenter": "450",
    "WindowWidth": "900",
}


THALAMUS: Final = 7
"""The label that has a map of its probability; of certainty, 255, where it is."""


@dataclass(frozen=True, eq=False)
class Source:
    """A series on disk.

    Parameters
    ----------
    paths
        Its files.
    labels
        (slices, rows, columns) uint8 ndarray, the truth.
    """

    paths: Sequence[Path]
    labels: NDArray[np.uint8]


def head(folder: Path, seed: int, header: Mapping[str, Any] | None = None) -> Source:
    """Write the middle of the head as single slices."""
    pixels, labels = _slab()
    options = SeriesOptions(seed, header={**_header(seed), **(header or {})})
    return Source(write_series(folder, pixels, axial_grid(pixels.shape), options), labels)


def multi_frame_head(folder: Path, seed: int) -> Source:
    """Write the middle of the head as one Enhanced MR instance, its frames in no order."""
    pixels, labels = _slab()
    order = [int(index) for index in np.random.default_rng(seed).permutation(len(pixels))]
    frames = frames_on(pixels, axial_grid(pixels.shape), order)
    options = EnhancedOptions(SeriesOptions(seed, header=_header(seed)))
    return Source(write_enhanced(folder, frames, options), labels)


def analysed(source: Source) -> EncodingInput:
    """Let the model of brain structures give the truth, and order everything that can be made of it."""
    spec = FolderCatalogue([builtin_models_root()]).get("brain_structures")
    publication = replace(spec.publication, sc=True, pdf=True, parametric_map=True, key_images=True)
    spec = replace(spec, publication=publication)
    series = revision_of(source.paths)
    headers = read_headers(series.instances)
    volume = build_volume(headers)
    uids = OutputUIDs.derive(ModelInputs(series), spec.reference)
    probabilities = np.zeros((STRUCTURES, *source.labels.shape), dtype=np.uint8)
    probabilities[THALAMUS - 1] = 255 * (source.labels == THALAMUS)
    result = replace(make_result(source.labels, volume.grid, spec, uids), probabilities=probabilities)
    data_sets = [header.data_set for header in headers]
    return EncodingInput(volume, data_sets, result, spec, uids, PRODUCED_AT, Order(RESULT_KINDS))


@dataclass(frozen=True, eq=False)
class Stored:
    """A study in the archive.

    Parameters
    ----------
    encoding
        What its results were made of.
    artifacts
        The results.
    """

    encoding: EncodingInput
    artifacts: Sequence[DicomArtifact]

    @property
    def study_uid(self) -> str:
        """Its Study Instance UID."""
        return str(self.encoding.data_sets[0].StudyInstanceUID)

    @property
    def source_series_uid(self) -> str:
        """Series Instance UID of the source."""
        return str(self.encoding.data_sets[0].SeriesInstanceUID)

    def series_uid(self, kind: str) -> str:
        """Give the Series Instance UID of the only result of a kind."""
        (found,) = {one.identity.series_instance_uid for one in self.artifacts if one.kind == kind}
        return found


def store(orthanc: OrthancServer, source: Sequence[Path], encoding: EncodingInput) -> Stored:
    """Encode a result and put it with its source into the archive."""
    artifacts = encode(encoding)
    put(orthanc, (*(path.read_bytes() for path in source), *(artifact.content for artifact in artifacts)))
    return Stored(encoding, artifacts)


def put(orthanc: OrthancServer, files: Iterable[bytes]) -> None:
    """Put Part 10 files into the archive."""
    for content in files:
        orthanc.client.post("/instances", content=content).raise_for_status()


def _header(seed: int) -> Mapping[str, Any]:
    """Make a patient for each study, for a viewer shows all studies of one."""
    return {**HEADER, "PatientID": f"PHANTOM-{seed}"}


def _slab() -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Draw some slices of the head, (slices I→S, rows A→P, columns R→L)."""
    labels = load_labels()
    height = labels.shape[1]
    cut = labels[:, height - SLICES.stop : height - SLICES.start]
    truth = np.ascontiguousarray(cut.transpose(1, 2, 0)[::-1, ::-1])
    return render(cut, Rendering()), np.where(truth <= STRUCTURES, truth, 0).astype(np.uint8)
