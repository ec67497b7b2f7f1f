"""One image through the whole reading path, in this process: header, encoded frame, stored and modality values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.decoding import decode_codestream, stored_values
from inference.domain.study import StoredInstance
from inference.errors import UnsupportedPixelData
from inference.frames import frames_of
from inference.headers import read_headers
from inference.modality import modality_transform
from inference.pixel_data import encoded_frames, is_encapsulated, pixel_formats


def values_of(instance: StoredInstance) -> NDArray[np.float32]:
    """Give the modality values of a single-frame instance, (rows, columns)."""
    (header,) = read_headers([instance])
    syntax = instance.transfer_syntax_uid
    (form,) = pixel_formats([header])
    ((_, frame),) = encoded_frames(header, form, [1])
    if is_encapsulated(header):
        stored = decode_codestream(frame, syntax, form)
    else:
        stored = stored_values(frame, form, little_endian=header.data_set.original_encoding[1])
    values = np.empty((form.rows, form.columns), dtype=np.float32)
    modality_transform(frames_of([header])[0].attributes, form).apply(stored, values)
    return values


def reason_of(instance: StoredInstance) -> str:
    """Give the code with which an instance is refused."""
    with pytest.raises(UnsupportedPixelData) as caught:
        values_of(instance)
    return caught.value.code
