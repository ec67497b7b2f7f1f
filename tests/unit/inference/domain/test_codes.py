"""Coded concepts fit into DICOM and have a system in FHIR."""

from __future__ import annotations

import pytest

from inference.domain import codes
from inference.domain.codes import FHIR_SYSTEMS, Code

OURS = {name: value for name, value in vars(codes).items() if isinstance(value, Code)}


@pytest.mark.parametrize("name", OURS)
def test_every_code_has_a_fhir_system(name: str) -> None:
    """A code that a report cannot carry would be found out at delivery."""
    assert OURS[name].scheme in FHIR_SYSTEMS
    assert OURS[name].value == OURS[name].value.strip()


def test_no_two_names_stand_for_one_code() -> None:
    """Value and scheme name a concept."""
    pairs = [(code.value, code.scheme) for code in OURS.values()]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("part", range(3))
def test_a_code_is_whole(part: int) -> None:
    """Value, scheme and meaning are all of type 1 (PS3.3 section 8.8)."""
    parts = ["1", "SCT", "Brain"]
    parts[part] = ""
    with pytest.raises(ValueError, match="needs value, scheme and meaning"):
        Code(*parts)


def test_a_meaning_fits_its_vr() -> None:
    """LO has at most 64 characters (PS3.5 section 6.2)."""
    assert Code("1", "SCT", "x" * 64).meaning == "x" * 64
    with pytest.raises(ValueError, match="over 64"):
        Code("1", "SCT", "x" * 65)
