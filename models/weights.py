"""Weights are what the manifest says, or they are not run."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from inference.domain.model_spec import ModelSpec
from inference.errors import WeightsMismatch
from models.onnx_file import needs_further_files

FURTHER_FILES: Final = "the graph keeps weights in further files, which its digest does not cover"


def verify(spec: ModelSpec) -> None:
    """Return only if the weights file is there and has the manifest's digest.

    The engine calls this right before a graph is loaded, so that a file that was swapped under a running node is
    found at the next load. Weights are never downloaded at run time.

    Raises
    ------
    WeightsMismatch
        If the file is absent, unreadable, another one or no ONNX file, or keeps weights in further files.
    """
    reference = spec.reference
    try:
        with spec.graph.weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsMismatch(f"model {reference.model_id}: the weights cannot be read") from error
    if not hmac.compare_digest(digest, reference.digest):
        raise WeightsMismatch(f"model {reference.model_id}: the weights are not those of the manifest")
    try:
        if needs_further_files(spec.graph.weights):
            raise WeightsMismatch(f"model {reference.model_id}: {FURTHER_FILES}")
    except (OSError, ValueError) as error:
        raise WeightsMismatch(f"model {reference.model_id}: the weights are not an ONNX file") from error
