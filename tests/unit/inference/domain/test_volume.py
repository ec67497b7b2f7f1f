"""A volume's parts agree, or there is none."""

from __future__ import annotations

import numpy as np
import pytest

from inference.domain.geometry import Grid
from inference.domain.volume import Volume

GRID = Grid((2, 3, 4), np.zeros(3), np.eye(3))


def test_a_volume_whose_parts_agree() -> None:
    """A slice that was interpolated has no frame."""
    assert Volume(np.zeros((2, 3, 4), dtype=np.float32), GRID, (None, None)).warnings == ()


@pytest.mark.parametrize(("shape", "frames"), [((2, 4, 3), 2), ((3, 3, 4), 3), ((2, 3, 4), 1)])
def test_a_volume_whose_parts_differ_is_none(shape: tuple[int, int, int], frames: int) -> None:
    """Array, grid and frames of different shapes would be read at the wrong place."""
    with pytest.raises(ValueError, match="must agree"):
        Volume(np.zeros(shape, dtype=np.float32), GRID, (None,) * frames)
