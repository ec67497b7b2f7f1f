"""Previews: what a reader may see of a series and its result, and nothing else."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from werkzeug.test import TestResponse

from inference.domain.identifiers import UID, JobID
from inference.domain.job import WITHDRAWAL, JobState
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.preview import build_preview
from inference.encoding.windowing import Window
from tests.support.control_api import SERIES, STUDY, ControlAPI
from tests.support.fakes import NOON
from tests.support.findings import make_case
from tests.support.pictures import coloured, with_values

PREVIEW = f"/api/studies/{STUDY}/series/{SERIES}/preview"
GREY = 100.0


@pytest.fixture
def encoding(tmp_path: Path) -> EncodingInput:
    """Give three structures in an even grey volume of six slices."""
    return with_values(make_case(tmp_path / "source").encoding, np.full((6, 20, 16), GREY))


def _has_preview(api: ControlAPI, encoding: EncodingInput, job_id: str, modality: str = "MR") -> None:
    parts = build_preview(encoding.volume, encoding.result, Window(0.0, 200.0), modality)
    api.services.previews.save(JobID(job_id), parts)


@pytest.fixture
def job_id(api: ControlAPI, encoding: EncodingInput) -> str:
    """Give a published job with a preview."""
    api.has_study()
    api.has_series()
    made = api.has_job(1, result={"measurements": []})
    _has_preview(api, encoding, made)
    return made


def _pixels(answer: TestResponse) -> NDArray[np.uint8]:
    assert (answer.status_code, answer.mimetype) == (200, "image/png"), answer.get_data(as_text=True)
    return np.asarray(Image.open(BytesIO(answer.data)).convert("RGB"))


def _excluded(encoding: EncodingInput) -> tuple[int, str]:
    segment = encoding.result.segments[0]
    return segment.label.value, str(segment.volume.tracking_uid)


def test_a_preview_says_what_there_is_to_show(api: ControlAPI, encoding: EncodingInput, job_id: str) -> None:
    """Slices, windows, and the structures with colours and volumes."""
    document = api.get(PREVIEW).json

    shape = [document[name] for name in ("slices", "rows", "columns")]
    assert (document["job_id"], document["valid"], document["modality"], shape) == (job_id, True, "MR", [6, 20, 16])
    assert document["windows"] == [
        {"name": "default", "low": 0.0, "high": 200.0},
        {"name": "full", "low": GREY, "high": GREY},
    ]
    assert (document["sides"], document["interpolated"]) == (["R", "L", "A", "P"], [])
    for shown, segment in zip(document["structures"], encoding.result.segments, strict=True):
        assert (shown["label"], shown["colour_rgb"]) == (segment.label.name, list(segment.label.colour_rgb))
        assert shown["volume_ml"] == pytest.approx(segment.volume.value, abs=0.001)


def test_a_ct_is_offered_the_usual_windows(api: ControlAPI, encoding: EncodingInput, job_id: str) -> None:
    """By the names under which radiologists know them."""
    _has_preview(api, encoding, job_id, "CT")

    names = [window["name"] for window in api.get(PREVIEW).json["windows"]]

    assert names == ["default", "brain", "subdural", "soft tissue", "lung", "bone", "full"]
    assert _pixels(api.get(f"{PREVIEW}/slices/1.png?window=brain&overlay=false")).max() == 255


@pytest.mark.parametrize(
    ("query", "grey"),
    [("", 128), ("window=default", 128), ("window=0,100", 255), ("window=100,300", 0), ("window=-100.5,400", 102)],
)
def test_a_slice_is_windowed_as_asked(api: ControlAPI, job_id: str, query: str, grey: int) -> None:
    """Two numbers are the values that are black and white."""
    picture = _pixels(api.get(f"{PREVIEW}/slices/6.png?overlay=false&{query}"))

    assert job_id
    assert np.unique(picture).tolist() == [grey]


def test_structures_are_drawn_or_not(api: ControlAPI, encoding: EncodingInput, job_id: str) -> None:
    """All, none, or those that are asked for."""
    number = encoding.result.segments[0].label.value
    queries = ("", "?overlay=true", f"?structures={number}", "?structures=", "?overlay=false")

    counts = [int(coloured(_pixels(api.get(f"{PREVIEW}/slices/2.png{query}"))).sum()) for query in queries]

    assert counts[0] == counts[1] > counts[2] > counts[3] == counts[4] == 0


@pytest.mark.parametrize("number", ["0", "7", "1000000", "99999999999999999999"])
def test_a_slice_that_is_not_there_is_404(api: ControlAPI, job_id: str, number: str) -> None:
    """They count from 1; also a number that no array could have is simply not there."""
    answer = api.get(f"{PREVIEW}/slices/{number}.png")

    assert job_id
    assert (answer.status_code, answer.json["code"]) == (404, "preview.not_found")


@pytest.mark.parametrize("name", ["-1", "x", "1.5", "../1"])
def test_what_is_no_number_is_404_too(api: ControlAPI, job_id: str, name: str) -> None:
    """As a problem document like any other."""
    answer = api.get(f"{PREVIEW}/slices/{name}.png")

    assert job_id
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("window=1,1", 422),
        ("window=2,1", 422),
        ("window=nan,1", 422),
        ("window=0,1e999", 422),
        ("window=a,b", 422),
        ("window=" + "9" * 40, 422),
        ("window=bone", 404),
        ("structures=1,x", 422),
        ("structures=1111", 422),
        ("overlay=maybe", 422),
        ("job_id=x", 422),
        ("scale=2", 422),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(api: ControlAPI, job_id: str, query: str, status: int) -> None:
    """A picture that is not what was asked for misleads."""
    answer = api.get(f"{PREVIEW}/slices/1.png?{query}")

    assert job_id
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_a_picture_that_the_client_has_is_not_drawn_again(api: ControlAPI, job_id: str) -> None:
    """It may keep it for itself, and asks whether it still may be shown."""
    first = api.get(f"{PREVIEW}/slices/2.png")
    headers = {**api.bearer("nurse"), "If-None-Match": first.headers["ETag"]}

    again = api.client.get(f"{PREVIEW}/slices/2.png", headers=headers)
    other = api.client.get(f"{PREVIEW}/slices/2.png?window=full", headers=headers)

    assert job_id
    assert (again.status_code, again.data, other.status_code) == (304, b"", 200)
    assert {answer.headers["Cache-Control"] for answer in (first, again)} == {"private, no-cache"}


def test_what_a_reader_excluded_is_not_drawn(api: ControlAPI, encoding: EncodingInput) -> None:
    """Nor named; and the picture that a client kept is not shown again."""
    api.has_study()
    api.has_series()
    number, tracking_uid = _excluded(encoding)
    job_id = api.has_job(1, result={"measurements": [{"tracking_uid": tracking_uid}]})
    _has_preview(api, encoding, job_id)
    before = api.get(f"{PREVIEW}/slices/2.png")
    order = {"verdict": "amend", "reason": "not there", "excluded": [tracking_uid]}
    assert api.post(f"/api/jobs/{job_id}/review", order, role="radiologist").status_code == 202

    headers = {**api.bearer("nurse"), "If-None-Match": before.headers["ETag"]}
    after = api.client.get(f"{PREVIEW}/slices/2.png", headers=headers)

    assert number not in [one["number"] for one in api.get(PREVIEW).json["structures"]]
    assert 0 < coloured(_pixels(after)).sum() < coloured(_pixels(before)).sum()
    assert not coloured(_pixels(api.get(f"{PREVIEW}/slices/2.png?structures={number}"))).any()


def test_of_a_withdrawn_result_only_the_source_is_shown(api: ControlAPI, encoding: EncodingInput) -> None:
    """Nothing that it said may be seen any more."""
    api.has_study()
    api.has_series()
    note = {"reason": "recalled", "at": NOON.isoformat()}
    _has_preview(api, encoding, api.has_job(1, JobState.WITHDRAWN, result={WITHDRAWAL: note}))

    document = api.get(PREVIEW).json

    assert (document["structures"], document["valid"]) == ([], False)
    assert not coloured(_pixels(api.get(f"{PREVIEW}/slices/2.png"))).any()


def test_the_latest_result_is_shown_or_the_one_that_is_asked_for(
    api: ControlAPI, encoding: EncodingInput, job_id: str
) -> None:
    """One that is not done yet has nothing to show, and a trial is not for readers."""
    later = api.has_job(2, result={"measurements": []})
    _has_preview(api, encoding, later)
    api.has_job(3, JobState.PROCESSING)
    _has_preview(api, encoding, api.has_job(4, result={"measurements": []}, shadow=True))

    assert api.get(PREVIEW).json["job_id"] == later
    assert api.get(f"{PREVIEW}?job_id={job_id}").json["job_id"] == job_id
    assert api.get(f"{PREVIEW}/slices/1.png?job_id={job_id}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        f"/api/studies/{STUDY}/series/{SERIES}.9/preview",
        f"/api/studies/1.2.3/series/{SERIES}/preview",
        f"{PREVIEW}?job_id={'f' * 32}",
        f"/api/studies/1.2.3/series/{SERIES}/preview/slices/1.png",
    ],
)
def test_what_has_no_preview_is_404(api: ControlAPI, job_id: str, path: str) -> None:
    """A series of another study too: its address must be right as a whole."""
    answer = api.get(path)

    assert job_id
    assert (answer.status_code, answer.json["code"]) == (404, "preview.not_found")


def test_a_result_from_before_there_were_previews_has_none(api: ControlAPI) -> None:
    """It is said so, and nothing breaks."""
    api.has_study()
    api.has_series(UID(SERIES))
    api.has_job(1, result={"measurements": []})

    assert api.get(PREVIEW).json["code"] == "preview.not_found"


def test_a_damaged_preview_is_a_problem_and_no_picture(api: ControlAPI, job_id: str) -> None:
    """As everything that goes wrong."""
    api.services.previews.save(JobID(job_id), [b"nonsense"])

    for path in (PREVIEW, f"{PREVIEW}/slices/1.png"):
        answer: Any = api.get(path)
        assert (answer.status_code, answer.json["code"]) == (500, "encoding.failed")


def test_pictures_are_for_those_who_are_logged_in(api: ControlAPI, job_id: str) -> None:
    """They show a person."""
    assert job_id
    for path in (PREVIEW, f"{PREVIEW}/slices/1.png"):
        assert api.client.get(path).status_code == 401
