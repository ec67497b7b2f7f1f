"""Identifiers are checked once, where they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from inference.domain.identifiers import UID, AETitle
from inference.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from inference.domain.transfer_syntaxes import DECODABLE_TRANSFER_SYNTAXES

components = st.integers(0, 10**12).map(str)


@given(st.lists(components, min_size=2, max_size=4))
def test_a_uid_is_numbers_with_dots(parts: list[str]) -> None:
    """What obeys the grammar is kept as it is."""
    assert UID(".".join(parts)) == ".".join(parts)


NO_UIDS = ["", "1", "1.", ".1", "1..2", "1.02", "01.2", "1.2 ", " 1.2", "1.2\n", "1.2\0", "1.a", "-1.2", "1.٣"]


@pytest.mark.parametrize("value", [*NO_UIDS, "1." + "2" * 63], ids=repr)
def test_what_breaks_the_grammar_is_no_uid(value: str) -> None:
    """PS3.5 section 9.1: padding, leading zeros, other digits and more than 64 characters."""
    with pytest.raises(ValueError, match="not a valid UID"):
        UID(value)


def test_the_longest_uid_is_taken() -> None:
    """64 characters."""
    assert len(UID("1." + "2" * 62)) == 64


def test_an_error_shows_no_value() -> None:
    """An identifier of a person's images does not get into a message."""
    with pytest.raises(ValueError, match=r"^not a valid UID \(PS3.5 section 9.1\)$"):
        UID("1.2.840.99999.x")


def test_a_uid_is_checked_when_it_is_read_from_json() -> None:
    """A kept result that was tampered with is not believed."""
    adapter = TypeAdapter(UID)
    assert isinstance(adapter.validate_json('"1.2.3"'), UID)
    with pytest.raises(ValidationError):
        adapter.validate_json('"../../etc"')


@pytest.mark.parametrize(
    ("given_title", "kept"), [("NODE", "NODE"), (" NODE ", "NODE"), ("A B", "A B"), ("~", "~"), ("X" * 16, "X" * 16)]
)
def test_outer_spaces_of_an_ae_title_mean_nothing(given_title: str, kept: str) -> None:
    """PS3.5 section 6.2."""
    assert AETitle(given_title) == kept


@pytest.mark.parametrize("value", ["", "   ", "X" * 17, "A\\B", "A\tB", "NÖDE", "A\n", "A\0"], ids=repr)
def test_what_is_no_ae_title(value: str) -> None:
    """Nothing, too long, or outside the default repertoire."""
    with pytest.raises(ValueError, match="not a valid AE title"):
        AETitle(value)


def test_our_own_identifiers_obey_the_rules() -> None:
    """PS3.7 annex D.3.3.2: the version name has at most 16 characters."""
    assert UID(IMPLEMENTATION_CLASS_UID).startswith("2.25.")
    assert 1 <= len(IMPLEMENTATION_VERSION_NAME) <= 16
    assert len(set(DECODABLE_TRANSFER_SYNTAXES)) == len(DECODABLE_TRANSFER_SYNTAXES)
