"""What the makers of pictures, pages and maps are given, made to order."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.domain.identifiers import UID
from inference.encoding.encapsulated_pdf import build_pdf
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import Imprint
from inference.encoding.libraries import silence
from inference.encoding.parametric_map import build_parametric_maps
from inference.encoding.secondary_capture import build_secondary_captures
from inference.encoding.source_images import SourceImages, source_images
from tests.support.findings import mask_of

_LIMIT_S = 60


def with_values(encoding: EncodingInput, values: NDArray[np.floating] | None = None) -> EncodingInput:
    """Give the volume values, noise where none are asked for."""
    shape = encoding.volume.grid.shape
    array = np.random.default_rng(0).normal(400, 60, shape) if values is None else values
    return replace(encoding, volume=replace(encoding.volume, array=array.astype(np.float32)))


def with_probabilities(encoding: EncodingInput, inside: int = 204) -> EncodingInput:
    """Give the result a probability for each label: ``inside`` of 255 where it is drawn, growing with the slice."""
    result, spec = encoding.result, encoding.spec
    assert result.labels is not None
    slices = np.arange(encoding.volume.grid.shape[0], dtype=np.uint8)[:, None, None]
    drawn = [np.where(mask_of(result.labels, label.value), np.uint8(inside) + slices, 0) for label in spec.labels]
    probabilities = np.stack(drawn).astype(np.uint8)
    return replace(encoding, result=replace(result, probabilities=probabilities))


def prepared(encoding: EncodingInput) -> tuple[SourceImages, EncodingInput, Imprint]:
    """Give the three things that an object is built of."""
    frame_of_reference = encoding.volume.frame_of_reference_uid or UID("2.25.4711")
    images = source_images(encoding.volume, encoding.data_sets, frame_of_reference)
    return images, encoding, Imprint(encoding.spec, encoding.uids, encoding.produced_at)


def captures(encoding: EncodingInput) -> Sequence[Dataset]:
    """Build the Secondary Captures."""
    with silence():
        return build_secondary_captures(*prepared(encoding))


def maps(encoding: EncodingInput) -> Sequence[Dataset]:
    """Build the Parametric Maps."""
    with silence():
        return list(build_parametric_maps(*prepared(encoding)))


def document(encoding: EncodingInput) -> Dataset:
    """Build the Encapsulated PDF."""
    with silence():
        return build_pdf(*prepared(encoding))


def coloured(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which pixels are not grey."""
    spread: NDArray[np.bool_] = np.ptp(pixels.astype(np.int16), axis=2) > 8
    return spread


def text_of(pdf: Path) -> str:
    """Let poppler read the text of a PDF, line by line as it stands on the page."""
    done = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, timeout=_LIMIT_S, check=True)
    return done.stdout.decode()
