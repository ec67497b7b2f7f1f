"""Lossless compression of result objects on the way to an archive that accepts it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from types import MappingProxyType
from typing import Final

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from inference.domain.artifact import DicomArtifact
from inference.domain.delivery import Compression
from inference.domain.identifiers import UID
from inference.domain.transfer_syntaxes import DEFLATED

COMPRESSED_SYNTAXES: Final[Mapping[Compression, UID]] = MappingProxyType(
    {Compression.DEFLATED: DEFLATED, Compression.RLE: UID(RLELossless)}
)
"""Transfer Syntax UID of each compression."""


def compressed(artifact: DicomArtifact, compression: Compression) -> DicomArtifact:
    """Give the same object in a smaller encoding, under the same UIDs, for nothing is lost.

    Parameters
    ----------
    artifact
        In Explicit VR Little Endian.
    compression
        DEFLATED takes every object (PS3.5 section A.5). RLE takes 8-bit pixels (PS3.5 annex G) and leaves everything
        else as it is; so does NONE.

    Returns
    -------
    DicomArtifact
        The same input always gives the same bytes; the artifact itself where there is nothing to compress.
    """
    syntax = COMPRESSED_SYNTAXES.get(compression)
    if syntax is None or artifact.transfer_syntax_uid == syntax:
        return artifact
    data_set = dcmread(BytesIO(artifact.content))
    if compression is Compression.DEFLATED:
        data_set.file_meta.TransferSyntaxUID = str(syntax)
    elif _has_bytes_as_pixels(data_set):
        data_set.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    else:
        return artifact
    content = _written(data_set)
    return replace(artifact, transfer_syntax_uid=syntax, content=content, sha256=hashlib.sha256(content).hexdigest())


def _has_bytes_as_pixels(data_set: Dataset) -> bool:
    return "PixelData" in data_set and data_set.get("BitsAllocated") == 8


def _written(data_set: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, data_set, enforce_file_format=True)
    return buffer.getvalue()
