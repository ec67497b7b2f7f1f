"""The contrast of an MR series: timing first, words where timing is absent, and never two at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inference.domain.model_spec import Weighting
from inference.domain.series_header import Acquisition, SeriesHeader
from inference.weighting import has_weighting, is_flair, is_t1_weighted, is_t2_weighted
from tests.support.series_headers import FLAIR, MPRAGE, SPIN_ECHO_T1, T1_HEADER, TURBO_SPIN_ECHO_T2

NOTHING = Acquisition()


def header(**changes: Any) -> SeriesHeader:
    return replace(T1_HEADER, **changes)


def named(description: str, acquisition: Acquisition = NOTHING) -> SeriesHeader:
    """Give a series that is known by its description."""
    return header(series_description=description, protocol_name="", acquisition=acquisition)


def weightings(series: SeriesHeader) -> set[Weighting]:
    """Give every contrast that a series is taken for."""
    return {weighting for weighting in Weighting if has_weighting(series, weighting)}


@pytest.mark.parametrize(
    ("acquisition", "expected"),
    [
        (MPRAGE, True),
        (Acquisition(frozenset({"GR"}), frozenset({"SK"}), 1800.0, 2.41, 900.0), True),
        (Acquisition(frozenset({"GR", "IR"}), frozenset({"SP", "MP"}), 2530.0, 1.66, None), True),
        (Acquisition(frozenset({"GR"}), frozenset({"SP"}), 8.2, 3.2, 450.0), True),
        (Acquisition(frozenset({"GR"}), frozenset({"SP"}), 25.0, 4.6), True),
        (Acquisition(frozenset({"GR"}), frozenset({"SP", "OSP"}), 300.0, 2.46), True),
        (SPIN_ECHO_T1, True),
        (Acquisition(frozenset({"SE", "IR"}), frozenset({"SK"}), 2000.0, 20.0, 800.0), True),
        (replace(SPIN_ECHO_T1, repetition_time_ms=4000.0, echo_time_ms=90.0), False),
        (replace(SPIN_ECHO_T1, repetition_time_ms=2500.0), False),
        (Acquisition(frozenset({"SE", "IR"}), frozenset({"SK"}), 9000.0, 120.0, 2500.0), False),
        (Acquisition(frozenset({"SE", "IR"}), frozenset({"SK"}), 4000.0, 30.0, 150.0), False),
        (Acquisition(frozenset({"GR", "IR"}), frozenset({"MP"}), 5000.0, 3.0, 700.0), False),
        (Acquisition(frozenset({"GR"}), frozenset({"SP"}), 30.0, 20.0), False),
        (Acquisition(frozenset({"GR"}), frozenset({"SP"}), 22.0, 3.7, None, angiography=True), False),
        (Acquisition(frozenset({"EP"}), frozenset({"SK"}), 2000.0, 30.0), False),
    ],
    ids=[
        "MPRAGE", "MPRAGE without IR", "MPRAGE without TI", "BRAVO", "SPGR", "2-D FLASH", "spin echo", "T1 FLAIR",
        "T2", "proton density", "T2 FLAIR", "STIR", "MP2RAGE", "SWI", "time of flight", "EPI",
    ],
)  # fmt: skip
def test_timing_decides(acquisition: Acquisition, expected: bool) -> None:
    """Weighting is read from the timing, whatever the series is called."""
    named = header(acquisition=acquisition, series_description="t1" if not expected else "series 7")
    assert is_t1_weighted(named) is expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("anat-T1w", True),
        ("T1_MPRAGE_SAG", True),
        ("mocoMEMPRAGE_220FOV RMS", True),
        ("Ax 3D BRAVO", True),
        ("SAG FSPGR", True),
        ("anat-T1w_acq-tfl", True),
        ("T2 TSE", False),
        ("T10 spine", False),
        ("post12", False),
        ("", False),
    ],
)
def test_descriptions_decide_where_timing_is_absent(description: str, expected: bool) -> None:
    """A poor header is believed when it is called T1, and only then."""
    assert is_t1_weighted(header(acquisition=Acquisition(), series_description=description, protocol_name="")) is (
        expected
    )


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("T1", {Weighting.T1}),
        ("T2", {Weighting.T2}),
        ("FLUID_ATTENUATED", {Weighting.FLAIR}),
        ("PROTON_DENSITY", set()),
        ("DIFFUSION", set()),
        ("", {Weighting.T1}),
    ],
)
def test_a_contrast_that_is_stated_is_believed_before_words(stated: str, expected: set[Weighting]) -> None:
    """An enhanced image says its Acquisition Contrast (PS3.3 section C.8.13.3.1.2)."""
    assert weightings(named("t1_mprage", Acquisition(stated_contrast=stated))) == expected


def test_timing_is_believed_before_a_stated_contrast() -> None:
    """Some converters write T1 for everything; but no timing makes a plain image of diffusion."""
    assert weightings(named("", replace(TURBO_SPIN_ECHO_T2, stated_contrast="T1"))) == {Weighting.T2}
    assert weightings(named("", replace(MPRAGE, stated_contrast="DIFFUSION"))) == set()


@pytest.mark.parametrize("kind", ["P", "PHASE", "IMAGINARY", "P_FFE"])
def test_phase_images_are_not_t1(kind: str) -> None:
    """A phase image shares timing and name with its magnitude."""
    assert not is_t1_weighted(header(image_type=frozenset({"ORIGINAL", "PRIMARY", kind})))


@pytest.mark.parametrize(
    ("acquisition", "expected"),
    [
        (TURBO_SPIN_ECHO_T2, {Weighting.T2}),
        (Acquisition(frozenset({"SE"}), frozenset({"SK"}), 4000.0, 240.0), {Weighting.T2}),
        (Acquisition(frozenset({"SE"}), frozenset({"SK"}), 3200.0, 409.0), {Weighting.T2}),
        (Acquisition(frozenset({"RM"}), frozenset({"SK"}), 2500.0, 80.0), {Weighting.T2}),
        (replace(TURBO_SPIN_ECHO_T2, echo_time_ms=30.0), set()),
        (replace(TURBO_SPIN_ECHO_T2, repetition_time_ms=1500.0), set()),
        (Acquisition(frozenset({"GR"}), frozenset({"SP"}), 2500.0, 80.0), set()),
        (Acquisition(frozenset({"EP", "SE"}), frozenset({"SK"}), 6000.0, 90.0), set()),
        (Acquisition(frozenset({"SE", "IR"}), frozenset({"SK"}), 4500.0, 75.0, 180.0), set()),
        (FLAIR, {Weighting.FLAIR}),
        (Acquisition(frozenset({"SE", "IR"}), frozenset({"SK", "MP"}), 5000.0, 388.0, 1800.0), {Weighting.FLAIR}),
        (Acquisition(frozenset({"SE"}), frozenset({"SK"}), 8000.0, 125.0, 2200.0), {Weighting.FLAIR}),
        (Acquisition(frozenset({"GR", "IR"}), frozenset({"MP"}), 5000.0, 3.0, 2500.0), set()),
        (replace(FLAIR, inversion_time_ms=3500.0), set()),
        (MPRAGE, {Weighting.T1}),
        (SPIN_ECHO_T1, {Weighting.T1}),
    ],
    ids=[
        "T2 TSE", "heavily T2", "3-D T2", "research mode", "proton density", "too fast", "T2*", "DWI", "STIR",
        "2-D FLAIR", "3-D FLAIR", "FLAIR without IR", "MP2RAGE", "too slow", "MPRAGE", "spin echo T1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("description", ["series 7", "t1", "t2"])
def test_timing_tells_contrasts_apart(acquisition: Acquisition, expected: set[Weighting], description: str) -> None:
    """Each series has one contrast or none, whatever it is called."""
    assert weightings(named(description, acquisition)) == expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("AX T2 TSE", {Weighting.T2}),
        ("t2_spc_sag_p2_iso", {Weighting.T2}),
        ("T2W_TSE", {Weighting.T2}),
        ("T2* GRE", set()),
        ("t2_fl2d_tra_hemo", set()),
        ("T2 STAR", set()),
        ("T2_stir_cor", set()),
        ("T2 MAP", set()),
        ("ax t2 flair", {Weighting.FLAIR}),
        ("t2_tirm_tra_dark-fluid", {Weighting.FLAIR}),
        ("t2_spc_da-fl_sag", {Weighting.FLAIR}),
        ("3D FLAIR CUBE", {Weighting.FLAIR}),
        ("AX T1 FLAIR", {Weighting.T1}),
        ("FLAIR T1 sag", {Weighting.T1}),
        ("T1 TSE", {Weighting.T1}),
        ("pd_tse", set()),
        ("T20", set()),
        ("", set()),
    ],
)
def test_words_tell_contrasts_apart_where_timing_is_absent(description: str, expected: set[Weighting]) -> None:
    """A poor header is believed when it names the contrast, and what only sounds like it is left out."""
    assert weightings(named(description)) == expected


def test_a_flair_whose_inversion_time_was_removed_is_no_t2() -> None:
    """Some headers lack the inversion time alone: repetition and echo time then look like a T2's."""
    lacking = Acquisition(frozenset({"SE"}), frozenset({"SK"}), 9000.0, 120.0)
    assert weightings(named("AX FLAIR", lacking)) == {Weighting.FLAIR}
    assert weightings(named("AX T2", lacking)) == {Weighting.T2}


@pytest.mark.parametrize("kind", ["P", "PHASE", "REAL"])
def test_phase_images_have_no_contrast(kind: str) -> None:
    """They share timing and name with their magnitude."""
    for acquisition in (MPRAGE, TURBO_SPIN_ECHO_T2, FLAIR):
        phase = header(acquisition=acquisition, image_type=frozenset({"ORIGINAL", "PRIMARY", kind}))
        assert weightings(phase) == set()


@pytest.mark.parametrize("description", ["t1_mprage", "series 7", "t1 pre contrast"])
def test_a_contrast_agent_makes_a_t1_an_enhanced_one(description: str) -> None:
    """The attribute is believed whatever the description says: who named an agent has given one."""
    enhanced = named(description, replace(MPRAGE, contrast_agent=True))
    assert weightings(enhanced) == {Weighting.T1_CONTRAST}


def test_a_contrast_agent_changes_nothing_for_others() -> None:
    """The consensus protocol takes its T2 after the injection; FLAIR is often taken then too."""
    assert weightings(named("t2", replace(TURBO_SPIN_ECHO_T2, contrast_agent=True))) == {Weighting.T2}
    assert weightings(named("flair", replace(FLAIR, contrast_agent=True))) == {Weighting.FLAIR}


@pytest.mark.parametrize(
    ("description", "enhanced"),
    [
        ("t1 post", True),
        ("T1 POST GD", True),
        ("t1_mprage_post_contrast", True),
        ("T1 postcontrast", True),
        ("t1 gad", True),
        ("T1 Gadovist", True),
        ("t1_mprage +C", True),
        ("AX T1 C+", True),
        ("T1+Gd", True),
        ("T1 KM", True),
        ("t1ce", True),
        ("T1C", True),
        ("T1 with contrast", True),
        ("t1_mprage", False),
        ("T1 pre contrast", False),
        ("T1 without contrast", False),
        ("T1 W/O Gd", False),
        ("T1 non-contrast", False),
        ("t1 no contrast", False),
        ("T1 nativ", False),
        ("T1 posterior fossa", False),
        ("T1 post op", False),
        ("T1 C-spine", False),
        ("MPRAGE", False),
        ("unenhanced T1", False),
    ],
)
def test_words_tell_whether_contrast_medium_was_given(description: str, enhanced: bool) -> None:
    """Where no agent is named, the description decides which of the two T1 contrasts it is."""
    expected = Weighting.T1_CONTRAST if enhanced else Weighting.T1
    assert weightings(named(description, MPRAGE)) == {expected}


def test_the_protocol_speaks_where_the_series_has_no_name() -> None:
    """ProtocolName often names the whole examination, so it is the second choice."""
    assert is_t2_weighted(header(series_description="", protocol_name="t2_tse", acquisition=NOTHING))
    assert not is_flair(header(series_description="t2_tse", protocol_name="t2 and flair", acquisition=NOTHING))
