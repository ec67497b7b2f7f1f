"""Every series gets its models or one named reason; a table of what a node meets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inference.domain.identifiers import UID
from inference.domain.model_spec import ModelSpec, Plane, SelectionRule, Weighting
from inference.domain.series_header import Acquisition, SeriesHeader
from inference.errors import ReasonCode
from inference.selection import fits, select
from models.catalogue import FolderCatalogue, builtin_models_root
from tests.support.model_packages import make_spec, with_id
from tests.support.series_headers import FLAIR, FLAIR_HEADER, MPRAGE, T1_HEADER, T2_HEADER
from tests.support.several_channels import with_channels

HEADER = T1_HEADER
MODEL = make_spec()


def storage(suffix: str) -> frozenset[UID]:
    return frozenset({UID(f"1.2.840.10008.5.1.4.1.1.{suffix}")})


def header(**changes: Any) -> SeriesHeader:
    return replace(HEADER, **changes)


def with_rule(spec: ModelSpec = MODEL, **changes: Any) -> ModelSpec:
    """Change what the only channel wants."""
    (channel,) = spec.channels
    return replace(spec, channels=(replace(channel, selection=replace(channel.selection, **changes)),))


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
        ({"acquisition": replace(MPRAGE, contrast_agent=True)}, ReasonCode.SEQUENCE),
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
    ct = with_id(with_rule(modality="CT"), "ct_model")
    assert select(HEADER, (ct, MODEL)).matches == (MODEL,)


def test_the_closest_refusal_is_told() -> None:
    """A thick T1 is told about its spacing, not that a CT model exists."""
    ct = with_id(with_rule(modality="CT"), "ct_model")
    assert reason(header(slice_spacing_mm=5.0), ct, MODEL) == ReasonCode.TOO_THICK
    assert reason(header(slice_spacing_mm=5.0), MODEL, ct) == ReasonCode.TOO_THICK


def test_a_rule_without_sequence_takes_any() -> None:
    """A CT model, say, does not ask for a weighting."""
    any_sequence = with_rule(sequence=None, body_parts=frozenset())
    odd = header(acquisition=Acquisition(frozenset({"EP"})), body_part="KNEE")
    assert reason(odd, any_sequence) is None


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


def test_contrast_medium_is_refused_whatever_the_series_is_called() -> None:
    """A model for unenhanced images is not given an enhanced one whose description says nothing of it."""
    enhanced = header(acquisition=replace(MPRAGE, contrast_agent=True))
    assert reason(enhanced, FolderCatalogue([builtin_models_root()]).get("brain_structures")) == ReasonCode.SEQUENCE


@pytest.mark.parametrize("plane", [Plane.CORONAL, Plane.SAGITTAL, None])
def test_a_plane_that_is_wanted_is_demanded(plane: Plane | None) -> None:
    """The reason has a name of its own, also where the header does not tell how the slices lie."""
    axial = with_rule(plane=Plane.AXIAL)
    assert reason(header(plane=plane), axial) == ReasonCode.PLANE
    assert reason(header(plane=Plane.AXIAL), axial) is None
    assert reason(header(plane=plane)) is None


@pytest.mark.parametrize(
    ("description", "protocol", "wanted"),
    [
        ("T1 SPACE Vessel Wall", "", True),
        ("", "t1_vessel_wall", True),
        ("t1_mprage", "vessel wall protocol", False),
        ("vessel wall flair", "", False),
    ],
)
def test_a_description_that_is_wanted_is_demanded(description: str, protocol: str, wanted: bool) -> None:
    """One of the patterns must be found in the series' own description, and none that is unwanted."""
    choosy = with_rule(include_description=("vessel.?wall", "vwi"))
    code = reason(header(series_description=description, protocol_name=protocol), choosy)
    assert code == (None if wanted else ReasonCode.SEQUENCE)


def test_a_model_wants_what_any_of_its_channels_wants() -> None:
    """Each of its series is a match; the model is named once although several channels would take the series."""
    model = with_channels(MODEL, T1=Weighting.T1, FLAIR=Weighting.FLAIR, again=Weighting.T1)
    for wanted in (T1_HEADER, FLAIR_HEADER):
        assert select(wanted, (model,)).matches == (model,)
    assert reason(T2_HEADER, model) == ReasonCode.SEQUENCE


def test_the_closest_refusal_is_sought_over_all_channels() -> None:
    """A FLAIR with too few slices is told about its slices, not that it is no T1."""
    model = with_channels(MODEL, T1=Weighting.T1, FLAIR=Weighting.FLAIR)
    assert reason(replace(FLAIR_HEADER, slice_count=3), model) == ReasonCode.TOO_FEW_SLICES


def test_two_versions_of_a_model_are_decided_on_each() -> None:
    """The active version and the one in shadow share an id, and may want different things."""
    newer = with_rule(max_slice_spacing_mm=0.5)
    assert select(HEADER, (MODEL, newer)).matches == (MODEL,)
    assert select(HEADER, (newer, MODEL)).matches == (MODEL,)


def test_a_series_fits_a_channel_only_if_nothing_speaks_against_it() -> None:
    """What holds for every model holds for a channel too."""
    rule = SelectionRule("MR", Weighting.FLAIR, (), frozenset(), 1, 9.0)
    assert fits(FLAIR_HEADER, rule)
    assert not fits(replace(FLAIR_HEADER, image_type=frozenset({"LOCALIZER"})), rule)
    assert not fits(replace(FLAIR_HEADER, acquisition=replace(FLAIR, echo_time_ms=20.0)), rule)
