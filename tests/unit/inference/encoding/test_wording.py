"""What a result says has its side and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference.domain.codes import Code
from inference.encoding.wording import sided_name
from tests.support.findings import make_spec


@pytest.mark.parametrize(
    ("name", "said"), [("Bright ball", "Bright ball, right"), ("Right thalamus", "Right thalamus")]
)
def test_the_side_is_left_out_only_where_the_name_has_it_as_a_word(name: str, said: str) -> None:
    """A part of another word is no side."""
    label = replace(make_spec().labels[0], name=name, laterality=Code("24028007", "SCT", "Right"))
    assert sided_name(label) == said
