"""What changed since the previous study: the right one of the right patient, and honest numbers."""

from __future__ import annotations

from typing import Any

import pytest

from inference.domain.identifiers import UID
from inference.domain.job import WITHDRAWAL, JobState
from tests.support.control_api import SERIES, STUDY, ControlAPI
from tests.support.fakes import NOON

LEFT, RIGHT = "7771000", "24028007"
PRIOR = UID("1.2.840.1")


def _volume(label: str, value: float, code: str = "42695009", **more: Any) -> dict[str, Any]:
    return {
        "label": label,
        "code": code,
        "quantity": "Volume",
        "value": value,
        "unit": "mL",
        "laterality": None,
        **more,
    }


def _has_result(api: ControlAPI, number: int, study_uid: UID, volumes: list[dict[str, Any]], **columns: Any) -> str:
    result = columns.pop("result", {"measurements": volumes})
    series_uid = columns.pop("series_instance_uid", f"{study_uid}.2")
    made = {"study_instance_uid": study_uid, "series_instance_uid": series_uid, "result": result}
    return api.has_job(number, **(made | columns))


def _seed(api: ControlAPI, now: list[dict[str, Any]], then: list[dict[str, Any]], **of_prior: Any) -> None:
    """Put a study there and an earlier one of the same patient."""
    api.has_study(patient_id="P1", patient_name="Kim^Minsu", study_date="20260102")
    api.has_series()
    _has_result(api, 2, STUDY, now)
    api.has_study(
        PRIOR, -60, **{"patient_id": "P1", "patient_name": "KIM^MINSU^", "study_date": "20250102", **of_prior}
    )
    api.has_series(UID(f"{PRIOR}.2"), PRIOR)
    _has_result(api, 1, PRIOR, then)


def _comparison(api: ControlAPI, study_uid: UID = STUDY) -> dict[str, Any]:
    [comparison] = api.get(f"/api/studies/{study_uid}/comparison").json["comparisons"]
    found: dict[str, Any] = comparison
    return found


def test_volumes_are_compared_with_the_previous_study(api: ControlAPI) -> None:
    """By how much, in percent, and in how many days."""
    _seed(api, [_volume("Thalamus", 13.5)], [_volume("Thalamus", 15.0)])

    comparison = _comparison(api)

    assert [comparison[name] for name in ("interval_days", "name_agrees", "same_version", "reason")] == [
        *(365, True, True, None)
    ]
    assert (comparison["prior"]["study_uid"], comparison["prior"]["study_date"]) == (PRIOR, "20250102")
    assert comparison["structures"] == [
        {
            "label": "Thalamus",
            "code": "42695009",
            "laterality": None,
            "unit": "mL",
            "prior": 15.0,
            "current": 13.5,
            "change": -1.5,
            "change_percent": -10.0,
        }
    ]


def _changes(api: ControlAPI) -> list[tuple[str, float | None, float | None, float | None]]:
    structures = _comparison(api)["structures"]
    return [(one["label"], one["prior"], one["current"], one["change_percent"]) for one in structures]


def test_structures_are_told_apart_by_code_and_side(api: ControlAPI) -> None:
    """Whatever a version of the model calls them."""
    now = [_volume("Left thalamus", 7.0, laterality=LEFT), _volume("Right thalamus", 6.0, laterality=RIGHT)]
    then = [_volume("Thalamus R", 5.0, laterality=RIGHT), _volume("Thalamus L", 7.0, laterality=LEFT)]
    _seed(api, now, then)

    assert _changes(api) == [("Left thalamus", 7.0, 7.0, 0.0), ("Right thalamus", 5.0, 6.0, 20.0)]


def test_several_structures_of_one_code_are_told_apart_by_name(api: ControlAPI) -> None:
    """Two lesions are not each other."""
    now = [_volume("Lesion 1", 2.0), _volume("Lesion 2", 4.0)]
    _seed(api, now, [_volume("Lesion 2", 2.0), _volume("Lesion 1", 1.0)])

    assert _changes(api) == [("Lesion 1", 1.0, 2.0, 100.0), ("Lesion 2", 2.0, 4.0, 100.0)]


def test_a_result_from_before_sides_were_kept_is_compared_by_name(api: ControlAPI) -> None:
    """Its rows say nothing of a side, which is not the same as having none."""
    then = _volume("Left thalamus", 5.0)
    del then["laterality"]
    _seed(api, [_volume("Left thalamus", 6.0, laterality=LEFT)], [then])

    assert _changes(api) == [("Left thalamus", 5.0, 6.0, 20.0)]


def test_what_is_in_one_result_only_has_no_change(api: ControlAPI) -> None:
    """Not found is not nothing: a number would be invented."""
    now = [_volume("Thalamus", 6.0), _volume("Lesion", 1.0, "1")]
    then = [_volume("Thalamus", 0.0), _volume("Edema", 2.0, "2"), _volume("Axis", 9.0, "1", quantity="Long axis")]
    _seed(api, now, then)

    assert _changes(api) == [("Thalamus", 0.0, 6.0, None), ("Lesion", None, 1.0, None), ("Edema", 2.0, None, None)]


@pytest.mark.parametrize(
    ("of_prior", "reason"),
    [
        ({"patient_id": "P2"}, "not_seen"),
        ({"study_date": "20260103"}, "not_seen"),
        ({"study_date": ""}, "not_seen"),
        ({"study_date": "2025"}, "not_seen"),
    ],
)
def test_what_is_no_earlier_study_of_the_patient_is_not_compared(
    api: ControlAPI, of_prior: dict[str, Any], reason: str
) -> None:
    """And it is said that there is none here."""
    _seed(api, [_volume("Thalamus", 6.0)], [_volume("Thalamus", 5.0)], **of_prior)

    comparison = _comparison(api)

    shown = [comparison[name] for name in ("prior", "reason", "interval_days", "name_agrees", "structures")]
    assert shown == [None, reason, None, None, []]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"study_date": "20260102"}, "no_patient_id"), ({"patient_id": "P1", "study_date": "2026"}, "no_study_date")],
)
def test_a_study_that_cannot_have_a_prior_says_why(api: ControlAPI, columns: dict[str, Any], reason: str) -> None:
    """Everybody without a number would else be one person."""
    api.has_study(**columns)
    api.has_study(UID("1.2.840.9"), -5, **{**columns, "study_date": "20250101"})
    for number, uid in enumerate((STUDY, UID("1.2.840.9"))):
        _has_result(api, number, uid, [_volume("Thalamus", 6.0)])

    assert _comparison(api)["reason"] == reason


@pytest.mark.parametrize(
    "columns",
    [
        {"shadow": True},
        {"superseded_by": "f" * 32},
        {"state": JobState.WITHDRAWN, "result": {WITHDRAWAL: {"reason": "recalled", "at": NOON.isoformat()}}},
        {"state": JobState.FAILED},
        {"model_id": "another_model"},
    ],
)
def test_only_results_that_stand_are_compared(api: ControlAPI, columns: dict[str, Any]) -> None:
    """Of the same model; one that was withdrawn says nothing, then as now."""
    api.has_study(patient_id="P1", study_date="20260102")
    _has_result(api, 1, STUDY, [_volume("Thalamus", 6.0)])
    api.has_study(PRIOR, -60, patient_id="P1", study_date="20250102")
    _has_result(api, 2, PRIOR, [_volume("Thalamus", 5.0)], **columns)

    assert _comparison(api)["reason"] == "not_seen"
    assert columns.keys() == {"model_id"} or api.get(f"/api/studies/{PRIOR}/comparison").json["comparisons"] == []


def test_the_latest_earlier_study_is_the_previous_one(api: ControlAPI) -> None:
    """Whenever it arrived: an old study that is sent late stays old."""
    api.has_study(patient_id="P1", study_date="20260102")
    _has_result(api, 1, STUDY, [_volume("Thalamus", 6.0)])
    for number, (day, minutes) in enumerate([("20240101", 50), ("20251230", -50), ("20250601", 60)], start=2):
        uid = UID(f"1.2.840.{number}")
        api.has_study(uid, minutes, patient_id="P1", study_date=day)
        _has_result(api, number, uid, [_volume("Thalamus", 1.0)])

    assert (_comparison(api)["prior"]["study_date"], _comparison(api)["interval_days"]) == ("20251230", 3)


def test_of_two_studies_of_a_day_the_one_that_came_first_is_earlier(api: ControlAPI) -> None:
    """Before and after an operation."""
    api.has_study(patient_id="P1", study_date="20260102")
    _has_result(api, 1, STUDY, [_volume("Thalamus", 6.0)])
    api.has_study(PRIOR, -60, patient_id="P1", study_date="20260102")
    _has_result(api, 2, PRIOR, [_volume("Thalamus", 5.0)])

    assert _comparison(api)["interval_days"] == 0
    assert _comparison(api, PRIOR)["reason"] == "not_seen"


def test_the_series_that_is_called_alike_is_compared(api: ControlAPI) -> None:
    """Another sequence measures otherwise; where none is called alike, what was analysed last is taken."""
    _seed(api, [_volume("Thalamus", 6.0)], [_volume("Thalamus", 5.0)])
    api.has_series(UID(f"{PRIOR}.3"), PRIOR, series_description="t1_other")
    _has_result(api, 9, PRIOR, [_volume("Thalamus", 1.0)], series_instance_uid=f"{PRIOR}.3")

    assert _comparison(api)["prior"]["series_uid"] == f"{PRIOR}.2"


def test_another_name_and_another_version_are_told(api: ControlAPI) -> None:
    """A number that two hospitals gave to two people, and a model that measures otherwise."""
    _seed(api, [_volume("Thalamus", 6.0)], [], patient_name="Lee^Jisoo")
    _has_result(api, 8, PRIOR, [_volume("Thalamus", 5.0)], model_version="2.0.0", series_instance_uid=f"{PRIOR}.2")

    comparison = _comparison(api)

    assert (comparison["name_agrees"], comparison["same_version"]) == (False, False)
    assert comparison["prior"]["model"]["version"] == "2.0.0"


def test_what_a_reader_excluded_is_not_compared(api: ControlAPI) -> None:
    """It does not stand, then as now."""
    excluded = {"verdict": "amend", "reviewer": "kim", "reviewer_name": "Kim", "organization": "x", "reason": "no"}
    review = {**excluded, "at": NOON.isoformat(), "excluded": ["2.25.1"], "conclusion": ""}
    volumes = [_volume("Thalamus", 5.0, tracking_uid="2.25.1"), _volume("Caudate", 3.0, "11", tracking_uid="2.25.2")]
    _seed(api, [_volume("Thalamus", 6.0), _volume("Caudate", 3.0, "11")], [])
    result = {"measurements": volumes, "reviews": [review]}
    _has_result(api, 9, PRIOR, [], result=result)

    assert _changes(api) == [("Thalamus", None, 6.0, None), ("Caudate", 3.0, 3.0, 0.0)]


def test_a_study_without_a_result_has_no_comparison(api: ControlAPI) -> None:
    """And one that is not there is not found."""
    api.has_study()
    api.has_series(SERIES)

    assert api.get(f"/api/studies/{STUDY}/comparison").json == {"comparisons": []}
    assert api.get("/api/studies/1.2.3/comparison").json["code"] == "study.not_found"
