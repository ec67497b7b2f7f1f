"""Every series gets its models or one named reason; a table of what a node meets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inference.domain.model_spec import ModelSpec, Plane, SelectionRule, SliceRule, Weighting
from inference.domain.series_header import Acquisition, Flaw, SeriesHeader
from inference.errors import ReasonCode
from inference.selection import best_stack, fits, refusal_of, select
from models.catalogue import FolderCatalogue, builtin_models_root
from tests.support.model_packages import make_spec, with_id
from tests.support.series_headers import FLAIR, FLAIR_HEADER, MPRAGE, T1_HEADER, T2_HEADER, make_stack, with_stack
from tests.support.several_channels import with_channels

HEADER = T1_HEADER
MODEL = make_spec()


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


def stack(**changes: Any) -> SeriesHeader:
    """Change the only stack."""
    return with_stack(HEADER, **changes)


@pytest.mark.parametrize(
    ("series", "code"),
    [
        (header(image_type=frozenset({"ORIGINAL", "PRIMARY", "LOCALIZER"})), ReasonCode.LOCALIZER),
        (header(samples_per_pixel=3), ReasonCode.DERIVED),
        (header(modality="CT"), ReasonCode.MODALITY),
        (header(modality=""), ReasonCode.MODALITY),
        (header(body_part="KNEE"), ReasonCode.NO_MODEL),
        (header(series_description="T1 FLAIR"), ReasonCode.SEQUENCE),
        (
            header(acquisition=replace(MPRAGE, scanning_sequence=frozenset({"EP", "GR"}))),
            ReasonCode.SEQUENCE,
        ),
        (header(acquisition=replace(MPRAGE, contrast_agent=True)), ReasonCode.SEQUENCE),
        (stack(flaw=Flaw(ReasonCode.MIXED_ORIENTATION, "not parallel")), ReasonCode.MIXED_ORIENTATION),
        (stack(flaw=Flaw(ReasonCode.MULTI_FRAME, "frames say nothing")), ReasonCode.MULTI_FRAME),
        (stack(slice_spacing_mm=4.8, slice_count=35), ReasonCode.TOO_THICK),
        (stack(slice_count=9), ReasonCode.TOO_FEW_SLICES),
        (stack(most_at_a_position=10, time_points=10), ReasonCode.REPEATED_POSITION),
        (stack(most_at_a_position=2), ReasonCode.REPEATED_POSITION),
        (
            stack(most_at_a_position=10, time_points=10, slice_count=5, gaps_mm=(9.0,) * 4),
            ReasonCode.REPEATED_POSITION,
        ),
        (stack(echo_times_ms=(2.0, 9.0)), ReasonCode.REPEATED_POSITION),
        (stack(gaps_mm=(1.0,) * 50 + (3.0,)), ReasonCode.GAP),
        (stack(gaps_mm=(1.0,) * 50 + (1.4,)), ReasonCode.NON_UNIFORM),
        (header(pixel_flaw=Flaw(ReasonCode.TRANSFER_SYNTAX, "there is no decoder")), ReasonCode.TRANSFER_SYNTAX),
    ],
)
def test_what_is_not_wanted_says_why(series: SeriesHeader, code: ReasonCode) -> None:
    """Each reason has its own code, a person's sentence, and no model runs."""
    selection = select(series, (MODEL,))
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
    "series",
    [
        header(image_type=frozenset({"DERIVED", "SECONDARY"})),
        header(image_type=frozenset()),
        header(body_part=""),
        stack(slice_spacing_mm=None),
        stack(slice_spacing_mm=3.0),
        stack(slice_count=10),
        stack(gaps_mm=(1.0,) * 50 + (2.0,)),
        header(series_description="", protocol_name="t1_mprage"),
        header(series_description="t1_mprage", protocol_name="brain t1 and flair"),
    ],
)
def test_what_is_poor_but_right_is_wanted(series: SeriesHeader) -> None:
    """DERIVED alone, missing optional attributes, one slice less and an examination-wide protocol refuse nothing."""
    assert reason(series) is None


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
    assert reason(stack(slice_spacing_mm=5.0), ct, MODEL) == ReasonCode.TOO_THICK
    assert reason(stack(slice_spacing_mm=5.0), MODEL, ct) == ReasonCode.TOO_THICK


@pytest.mark.parametrize(
    ("series", "known"),
    [
        (stack(gaps_mm=(1.0,) * 50 + (3.0,)), True),
        (stack(slice_count=9), True),
        (header(pixel_flaw=Flaw(ReasonCode.TRANSFER_SYNTAX, "there is no decoder")), True),
        (stack(slice_spacing_mm=4.8, slice_count=35), False),
        (header(modality="CT"), False),
        (header(image_type=frozenset({"ORIGINAL", "PRIMARY", "LOCALIZER"})), False),
    ],
)
def test_a_model_that_knows_the_series_but_for_its_slices_is_named(series: SeriesHeader, known: bool) -> None:
    """In its name readers are told; what a model does not want is nobody's business."""
    other = with_id(with_rule(modality="PT"), "other")
    assert select(series, (other, MODEL)).wanted_by == (MODEL if known else None)


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
    assert reason(stack(plane=plane), axial) == ReasonCode.PLANE
    assert reason(stack(plane=Plane.AXIAL), axial) is None
    assert reason(stack(plane=plane)) is None


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
    assert reason(with_stack(FLAIR_HEADER, slice_count=3), model) == ReasonCode.TOO_FEW_SLICES


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


def test_what_a_model_accepts_of_geometry_is_its_own_matter() -> None:
    """Missing slices, uneven distances, time points and echoes are refused unless the rule names them."""
    holey = stack(gaps_mm=(1.0,) * 50 + (3.0, 3.0))
    assert reason(holey, with_rule(slices=SliceRule(missing_slices=3))) == ReasonCode.GAP
    assert reason(holey, with_rule(slices=SliceRule(missing_slices=4))) is None
    uneven = stack(gaps_mm=(1.0,) * 50 + (1.15,))
    assert reason(uneven, with_rule(slices=SliceRule(spacing_deviation=0.2))) is None
    series = stack(most_at_a_position=4, time_points=4)
    assert reason(series, with_rule(slices=SliceRule(time_point=4))) is None
    assert reason(series, with_rule(slices=SliceRule(time_point=5))) == ReasonCode.REPEATED_POSITION
    assert reason(series, with_rule(slices=SliceRule(time_point=-5))) == ReasonCode.REPEATED_POSITION


def test_the_contrast_is_that_of_the_echo_that_is_asked_for() -> None:
    """The first of a double echo is proton density, the second T2."""
    double = replace(with_stack(T2_HEADER, echo_times_ms=(12.0, 93.0)), series_description="dual echo")
    t2 = with_rule(sequence=Weighting.T2, exclude_description=())
    assert reason(double, with_rule(t2, slices=SliceRule(echo=2))) is None
    assert reason(double, with_rule(t2, slices=SliceRule(echo=1))) == ReasonCode.SEQUENCE


def test_a_series_is_wanted_if_one_of_its_stacks_is() -> None:
    """And that one is analysed; of several, the one with the most slices, then the thinnest, then the first."""
    rule = with_rule(plane=Plane.AXIAL).channels[0].selection
    sagittal = make_stack(300, name="sagittal", plane=Plane.SAGITTAL)
    short = make_stack(20, name="short", plane=Plane.AXIAL)
    thick = make_stack(30, 2.0, name="thick", plane=Plane.AXIAL)
    thin = make_stack(30, 1.0, name="thin", plane=Plane.AXIAL)
    series = header(stacks=(sagittal, short, thick, thin))
    assert fits(series, rule)
    assert best_stack(series, rule).name == "thin"
    assert best_stack(header(stacks=(sagittal, thick, replace(thick, name="same"))), rule).name == "thick"
    assert not fits(header(stacks=(sagittal,)), rule)
    assert best_stack(header(stacks=(replace(sagittal, slice_count=5), sagittal)), rule).slice_count == 300


def test_every_model_has_its_own_reason() -> None:
    """A person who looks into a series is told about each."""
    assert refusal_of(HEADER, MODEL) is None
    for series, code in (
        (header(modality="CT"), ReasonCode.MODALITY),
        (header(burned_in=True), "selection.secondary_capture"),
    ):
        refusal = refusal_of(series, MODEL)
        assert refusal is not None
        assert refusal.code == code
