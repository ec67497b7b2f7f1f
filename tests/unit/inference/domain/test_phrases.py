"""Names have their side and numbers their digits, and no more."""

from __future__ import annotations

import pytest

from inference.domain.codes import RIGHT
from inference.domain.phrases import rounded, sided


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Bright ball", "Right Bright ball"),
        ("Ball, right", "Ball, right"),
        ("Right thalamus", "Right thalamus"),
        ("Thalamus", "Right Thalamus"),
    ],
)
def test_a_side_is_left_out_only_where_the_name_has_it_as_a_word(name: str, said: str) -> None:
    """Letters of a side inside another word do not say it."""
    assert sided(name, RIGHT) == said
    assert sided(name, None) == name


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "0"),
        (0.0000642, "0.0000642"),
        (0.004, "0.004"),
        (0.98, "0.98"),
        (6.0312, "6.03"),
        (14.25, "14.2"),
        (1274, "1274.0"),
    ],
)
def test_small_volumes_are_not_nothing(value: float, told: str) -> None:
    """A lesion of 0.04 mL must not read as 0.0."""
    assert rounded(value) == told
