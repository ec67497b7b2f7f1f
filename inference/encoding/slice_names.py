"""What a slice is called beside a picture: as viewers call it, and where in the patient it lies."""

from __future__ import annotations

import numpy as np

from inference.domain.geometry import Grid
from inference.encoding.encoding_input import EncodingInput


def slice_name(index: int, source: EncodingInput) -> str:
    """Name a slice as a viewer does: by its frame, else by its Instance Number, else by its place in the volume.

    Parameters
    ----------
    index
        Of the volume, 0-based.
    source
        Volume and headers.
    """
    frame = source.volume.frames[index]
    if frame is not None and frame.frame_number is not None:
        return f"Frame {frame.frame_number}"
    stated = {str(header.SOPInstanceUID): header.get("InstanceNumber") for header in source.data_sets}
    number = None if frame is None else stated.get(frame.sop_instance_uid)
    return f"Slice {index + 1}" if number is None else f"Image {number}"


def slice_place(index: int, grid: Grid) -> str:
    """Say how far the middle of a slice is from the origin of patient coordinates, and where to, e.g. ``R 23 mm``.

    Along the axis to which the slice is most nearly perpendicular (PS3.3 section C.7.6.2.1.1).

    Parameters
    ----------
    index
        Of the volume, 0-based.
    grid
        Where its voxels lie.
    """
    _, rows, columns = grid.shape
    middle = grid.to_lps((index, (rows - 1) / 2, (columns - 1) / 2))
    axis = int(np.abs(np.cross(grid.steps_mm[:, 1], grid.steps_mm[:, 2])).argmax())
    side = "LPH"[axis] if middle[axis] > 0 else "RAF"[axis]
    return f"{side} {abs(float(middle[axis])):.0f} mm"
