"""Every series gets its models or one named reason; a table of what a node meets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inference.domain.identifiers import UID
from inference.domain.model_spec import ModelSpec
from inference.domain.series_header import Acquisition, SeriesHeader
from inference.errors import ReasonCode
from inference.selection import is_t1_weighted, select
from models.catalogue import FolderCatalogue, builtin_models_root
from tests.support.model_packages import make_spec, with_id

MPRAGE = Acquisition(frozenset({"GR", "IR"}), frozenset({"SP", "MP"}), 2300.0, 2.98, 900.0)
SPIN_ECHO_T1 = Acquisition(frozenset({"SE"}), frozenset({"SK"}), 550.0, 12.0)
HEADER = SeriesHeader(
    sop_class_uids=frozenset({UID("1.2.840.10008.5.1.4.1.1.4")}),
    modality="MR",
    body_part="HEAD",
    series_description="t1_mprage",
    protocol_name="t1_mprage",
    image_type=frozenset({"ORIGINAL", "PRIMARY", "M"}),
    acquisition=MPRAGE,
    instance_count=176,
    slice_count=176,
    slice_spacing_mm=1.0,
    has_matrix=True,
    samples_per_pixel=1,
    multi_frame=False,
)
MODEL = make_spec()


def storage(suffix: str) -> frozenset[UID]:
    return frozenset({UID(f"1.2.840.10008.5.1.4.1.1.{suffix}")})


def header(**changes: Any) -> SeriesHeader:
    return replace(HEADER, **changes)


def reason(series: SeriesHeader, *models: ModelSpec) -> str | None:
    refusal = select(series, models or (MODEL,)).refusal
    return refusal.code if refusal else None


def test_an_ordinary_t1_is_wanted() -> None:
    """A match has no refusal."""
    selection = select(HEADER, (MODEL,))
    assert selection.matches == (MODEL,)
    assert selection.refusal is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"has_matrix": False}, ReasonCode.NOT_AN_IMAGE),
        ({"sop_class_uids": storage("88.33"), "has_matrix": False}, ReasonCode.NOT_AN_IMAGE),
        ({"sop_class_uids": storage("7")}, ReasonCode.SECONDARY_CAPTURE),
        ({"sop_class_uids": storage("7.2")}, ReasonCode.SECONDARY_CAPTURE),
        ({"image_type": frozenset({"ORIGINAL", "PRIMARY", "LOCALIZER"})}, ReasonCode.LOCALIZER),
        ({"image_type": frozenset({"ORIGINAL", "PRIMARY", "M", "MOSAIC"})}, ReasonCode.MOSAIC),
        ({"image_type": frozenset({"DERIVED", "PRIMARY", "DIFFUSION", "FA"})}, ReasonCode.DERIVED),
        ({"image_type": frozenset({"DERIVED", "SECONDARY", "MPR"})}, ReasonCode.DERIVED),
        ({"image_type": frozenset({"DERIVED", "SECONDARY", "PROJECTION IMAGE"})}, ReasonCode.DERIVED),
        ({"sop_class_uids": storage("66.4")}, ReasonCode.DERIVED),
        ({"sop_class_uids": storage("481.2")}, ReasonCode.DERIVED),
        ({"samples_per_pixel": 3}, ReasonCode.DERIVED),
        ({"sop_class_uids": storage("4") | storage("2")}, ReasonCode.MIXED),
        ({"modality": "CT"}, ReasonCode.MODALITY),
        ({"modality": ""}, ReasonCode.MODALITY),
        ({"body_part": "KNEE"}, ReasonCode.NO_MODEL),
        ({"series_description": "T1 FLAIR"}, ReasonCode.SEQUENCE),
        ({"multi_frame": True}, ReasonCode.MULTI_FRAME),
        ({"acquisition": replace(MPRAGE, scanning_sequence=frozenset({"EP", "GR"}))}, ReasonCode.SEQUENCE),
        ({"slice_spacing_mm": 4.8, "slice_count": 35}, ReasonCode.TOO_THICK),
        ({"slice_count": 9}, ReasonCode.TOO_FEW_SLICES),
    ],
)
def test_what_is_not_wanted_says_why(changes: dict[str, Any], code: ReasonCode) -> None:
    """Each reason has its own code, a person's sentence, and no model runs."""
    selection = select(header(**changes), (MODEL,))
    assert selection.refusal is not None
    assert selection.refusal.code == code.value
    assert len(selection.refusal.message) > 10
    assert selection.matches == ()


def test_the_description_never_reaches_the_message() -> None:
    """Free text may hold a name, so no reason repeats it."""
    selection = select(header(series_description="flair of Jane Doe"), (MODEL,))
    assert selection.refusal is not None
    assert "Jane" not in selection.refusal.message


@pytest.mark.parametrize(
    "changes",
    [
        {"image_type": frozenset({"DERIVED", "SECONDARY"})},
        {"image_type": frozenset()},
        {"body_part": ""},
        {"slice_spacing_mm": None},
        {"slice_spacing_mm": 3.0},
        {"slice_count": 10},
        {"series_description": "", "protocol_name": "t1_mprage"},
        {"series_description": "t1_mprage", "protocol_name": "brain t1 and flair"},
    ],
)
def test_what_is_poor_but_right_is_wanted(changes: dict[str, Any]) -> None:
    """DERIVED alone, missing optional attributes and an examination-wide protocol name refuse nothing."""
    assert reason(header(**changes)) is None


def test_a_node_without_models_says_so() -> None:
    """No catalogue, no match, but still a reason."""
    refusal = select(HEADER, ()).refusal
    assert refusal is not None
    assert refusal.code == ReasonCode.NO_MODEL


def test_only_models_that_want_it_run() -> None:
    """One model's refusal does not disturb another's match."""
    ct = with_id(replace(MODEL, selection=replace(MODEL.selection, modality="CT")), "ct_model")
    assert select(HEADER, (ct, MODEL)).matches == (MODEL,)


def test_the_closest_refusal_is_told() -> None:
    """A thick T1 is told about its spacing, not that a CT model exists."""
    ct = with_id(replace(MODEL, selection=replace(MODEL.selection, modality="CT")), "ct_model")
    assert reason(header(slice_spacing_mm=5.0), ct, MODEL) == ReasonCode.TOO_THICK
    assert reason(header(slice_spacing_mm=5.0), MODEL, ct) == ReasonCode.TOO_THICK


def test_a_rule_without_sequence_takes_any() -> None:
    """A CT model, say, does not ask for a weighting."""
    any_sequence = replace(MODEL, selection=replace(MODEL.selection, sequence=None, body_parts=frozenset()))
    odd = header(acquisition=Acquisition(frozenset({"EP"})), body_part="KNEE")
    assert reason(odd, any_sequence) is None


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


@pytest.mark.parametrize("kind", ["P", "PHASE", "IMAGINARY", "P_FFE"])
def test_phase_images_are_not_t1(kind: str) -> None:
    """A phase image shares timing and name with its magnitude."""
    assert not is_t1_weighted(header(image_type=frozenset({"ORIGINAL", "PRIMARY", kind})))


@pytest.mark.parametrize(
    ("description", "wanted"),
    [
        ("t1_mprage_sag_p2_iso", True),
        ("T1 3D TFE", True),
        ("AX T1 FLAIR", True),
        ("t2_spc_da-fl", False),
        ("AX FLAIR", False),
        ("ep2d_DWI b1000", False),
        ("DWI_ADC", False),
        ("3D TOF", False),
        ("gre_field_mapping", False),
        ("T1 MAP", False),
        ("T1 MPRAGE post Gd", False),
        ("t1_mprage +C", False),
        ("T1 KM", False),
        ("T1 MPR sag", False),
        ("pd_tse", False),
    ],
)
def test_the_built_in_model_is_choosy_by_name(description: str, wanted: bool) -> None:
    """The exclusions of the brain model's manifest hit what they mean and nothing else."""
    model = FolderCatalogue([builtin_models_root()]).get("brain_structures")
    code = reason(header(series_description=description), model)
    assert code == (None if wanted else ReasonCode.SEQUENCE)
