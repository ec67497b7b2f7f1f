"""What is too small to be believed is left out, whole parts at a time."""

from __future__ import annotations

import numpy as np
import pytest

from inference.parts import small_parts


def drawn() -> np.ndarray:
    """Draw parts of 24, 4 and 1 voxels; the last touches the first by an edge only."""
    mask = np.zeros((8, 9, 10), dtype=np.bool_)
    mask[1:3, 1:4, 1:5] = True
    mask[6, 6, 5:9] = True
    mask[3, 4, 4] = True
    return mask


@pytest.mark.parametrize(("fewest", "left_out"), [(0, 0), (1, 0), (1.5, 1), (4, 1), (4.1, 5), (24, 5), (25, 29)])
def test_parts_below_the_limit_are_small(fewest: float, left_out: int) -> None:
    """A part of exactly the limit stays; parts hang together by faces."""
    small = small_parts(drawn(), fewest)
    assert small.sum() == left_out
    assert not (small & ~drawn()).any()


def test_an_empty_mask_has_no_parts() -> None:
    """Nothing is nothing."""
    assert not small_parts(np.zeros((3, 4, 5), dtype=np.bool_), 10).any()
