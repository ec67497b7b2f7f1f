"""``inspect`` says what a folder holds and what a node would make of it, and runs nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dicom_node.cli import cli
from dicom_node.inspect_folder import Inspector, inspect_folder
from inference.domain.charsets import NOTHING_CONFIGURED, CharacterSets
from inference.domain.geometry import Grid
from inference.domain.model_spec import Deployment, SliceRule
from inference.errors import ReasonCode
from tests.support.enhanced_series import frames_on, write_enhanced
from tests.support.fakes import FixedCatalogue
from tests.support.model_packages import make_spec, with_id
from tests.support.sources import VARIANTS
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series

GRID = axial_grid((12, 8, 9), (2.0, 1.0, 0.75))
ARRAY = np.zeros(GRID.shape)
SPEC = make_spec()


def inspected(folder: Path, *models: Any, charsets: CharacterSets = NOTHING_CONFIGURED) -> dict[str, Any]:
    """Look into a folder with some models, one by default."""
    return inspect_folder(folder, Inspector(FixedCatalogue(models or [SPEC]), charsets))


def only(document: dict[str, Any]) -> dict[str, Any]:
    (entry,) = document["series"]
    assert isinstance(entry, dict)
    return entry


def test_a_series_is_shown_with_its_geometry_and_what_wants_it(tmp_path: Path) -> None:
    """Everything that one needs to know before it is sent."""
    write_series(tmp_path, ARRAY, GRID)
    entry = only(inspected(tmp_path))
    assert (entry["description"], entry["modality"], entry["instances"]) == ("t1_mprage_sag", "MR", 12)
    assert entry["transfer_syntaxes"] == ["1.2.840.10008.1.2.1"]
    assert entry["sop_classes"] == ["1.2.840.10008.5.1.4.1.1.4"]
    assert entry["character_set"] == "ISO_IR 192"
    assert entry["stacks"] == [
        {
            "name": "",
            "frames": 12,
            "slices": 12,
            "matrix": [8, 9],
            "pixel_spacing_mm": [1.0, 0.75],
            "slice_spacing_mm": 2.0,
            "plane": "axial",
            "tilt_degrees": 0.0,
            "missing_slices": 0,
            "echo_times_ms": [],
            "time_points": 1,
            "reason": None,
        }
    ]
    assert entry["reason"] is None
    assert entry["models"] == [
        {
            "id": "test_model",
            "version": "1.0.0",
            "deployment": "active",
            "channels": ["T1"],
            "matches": True,
            "reason": None,
            "warnings": [],
        }
    ]


def test_every_model_has_its_own_reason(tmp_path: Path) -> None:
    """Also one in shadow; and a model that accepts what the other does not."""
    write_series(tmp_path, ARRAY, GRID, SeriesOptions(omit=frozenset({4, 5})))
    (channel,) = SPEC.channels
    lenient = replace(channel, selection=replace(channel.selection, slices=SliceRule(missing_slices=2)))
    other = replace(with_id(SPEC, "tolerant"), channels=(lenient,), deployment=Deployment.SHADOW)
    entry = only(inspected(tmp_path, SPEC, other))
    strict, shadow = entry["models"]
    assert (strict["matches"], strict["channels"], strict["reason"]["code"]) == (False, [], ReasonCode.GAP)
    assert (shadow["matches"], shadow["deployment"]) == (True, "shadow")
    assert shadow["warnings"][0].startswith("2 slices are missing")
    (stack,) = entry["stacks"]
    assert (stack["missing_slices"], stack["reason"]["code"]) == (2, ReasonCode.GAP)


def test_what_no_model_can_use_has_one_reason(tmp_path: Path) -> None:
    """A localizer is none, whatever models there are."""
    write_series(tmp_path, ARRAY, GRID, SeriesOptions(header={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}))
    entry = only(inspected(tmp_path))
    assert (entry["reason"]["code"], entry["models"]) == (ReasonCode.LOCALIZER, [])


def test_geometry_is_told_as_it_is(tmp_path: Path) -> None:
    """Tilt, uneven steps, time points and echoes, stacks."""
    steps = GRID.steps_mm.copy()
    steps[1, 0] = 2.0 * np.tan(np.radians(15))
    write_series(tmp_path / "tilted", ARRAY, Grid(GRID.shape, GRID.origin_mm, steps))
    (tilted,) = only(inspected(tmp_path / "tilted"))["stacks"]
    assert (tilted["tilt_degrees"], tilted["slice_spacing_mm"]) == (15.0, 2.0)

    def uneven(data_set: Any, index: int) -> None:
        x, y, z = data_set.ImagePositionPatient
        data_set.ImagePositionPatient = [x, y, z + (0.7 if index > 5 else 0)]

    write_series(tmp_path / "uneven", ARRAY, GRID, SeriesOptions(edit=uneven))
    (stack,) = only(inspected(tmp_path / "uneven"))["stacks"]
    assert (stack["missing_slices"], stack["reason"]["code"]) == (None, ReasonCode.NON_UNIFORM)

    frames = [
        frame
        for time in (1, 2)
        for echo in (3.0, 9.0)
        for frame in frames_on(ARRAY, GRID, stack="a", time_point=time, echo_time_ms=echo)
    ] + frames_on(ARRAY[:2], axial_grid((2, 8, 9)), stack="b")
    write_enhanced(tmp_path / "many", frames)
    many, two = only(inspected(tmp_path / "many"))["stacks"]
    assert (many["name"], many["frames"], many["slices"]) == ("a", 48, 12)
    assert (many["echo_times_ms"], many["time_points"]) == ([3.0, 9.0], 2)
    assert many["reason"]["code"] == ReasonCode.REPEATED_POSITION
    assert (two["name"], two["slices"], two["reason"]) == ("b", 2, None)


def test_what_only_the_layout_shows_is_a_reason_too(tmp_path: Path) -> None:
    """A series that selection lets pass and the volume builder would not."""
    write_series(tmp_path, ARRAY[:1], axial_grid((1, 8, 9)))
    (channel,) = SPEC.channels
    single = replace(SPEC, channels=(replace(channel, selection=replace(channel.selection, min_slices=1)),))
    (model,) = only(inspected(tmp_path, single))["models"]
    assert (model["matches"], model["channels"]) == (False, ["T1"])
    assert model["reason"]["code"] == ReasonCode.TOO_FEW_SLICES


def test_a_series_that_cannot_be_read_has_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others are looked into all the same."""
    write_series(tmp_path, ARRAY, GRID)

    def broken(*_: object) -> None:
        raise NotImplementedError("Doe^Jane")

    monkeypatch.setattr("dicom_node.inspect_folder.read_headers", broken)
    entry = only(inspected(tmp_path))
    assert entry["reason"]["code"] == "node.unexpected"
    assert "Doe" not in json.dumps(entry)
    assert (entry["instances"], entry["stacks"], entry["models"]) == (12, [], [])


def test_text_is_read_in_the_configured_character_set(tmp_path: Path) -> None:
    """And the one that was assumed is shown."""
    options = VARIANTS["no character set, EUC-KR"]
    edit = options.edit
    assert edit is not None

    def describe(data_set: Any, index: int) -> None:
        edit(data_set, index)
        data_set.add_new(0x0008103E, "LO", "뇌".encode("euc_kr"))

    write_series(tmp_path, ARRAY, GRID, SeriesOptions(edit=describe))
    entry = only(inspected(tmp_path, charsets=CharacterSets("ISO 2022 IR 149")))
    assert (entry["description"], entry["character_set"]) == ("뇌", "ISO 2022 IR 149")


def test_files_of_no_series_are_named(tmp_path: Path) -> None:
    """With the folder they lie in, and why."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "notes.txt").write_text("nothing")
    document = inspected(tmp_path)
    assert document == {
        "series": [],
        "skipped": [{"file": "deep/notes.txt", "reason": "no DICOM instance: an identifier is missing"}],
    }


def test_the_command_prints_a_table_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Geometry, models and reasons in words."""
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    write_series(tmp_path / "in" / "a", ARRAY, GRID, SeriesOptions(omit=frozenset({4})))
    write_series(tmp_path / "in" / "b", ARRAY, GRID, SeriesOptions(seed=1, header={"BurnedInAnnotation": "YES"}))
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    result = CliRunner().invoke(cli, ["inspect", str(tmp_path / "in")], catch_exceptions=False)
    assert result.exit_code == 0
    for words in (
        "11 axial slices of 8 x 9, pixels 1 x 0.75 mm, 2 mm apart, 1 missing",
        "brain_structures 1.0.0: no, 11 slices; the model wants at least 40",
        "images with text burned into them are not analysed",
        "skipped notes.txt: no DICOM instance",
    ):
        assert words in result.output
    assert not (tmp_path / "data").exists()


def test_the_command_prints_json_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same document."""
    monkeypatch.setenv("NODE_DATA_DIR", str(tmp_path / "data"))
    write_series(tmp_path / "in", ARRAY, GRID)
    result = CliRunner().invoke(cli, ["inspect", str(tmp_path / "in"), "--json"], catch_exceptions=False)
    (entry,) = json.loads(result.output)["series"]
    assert entry["models"][0]["reason"]["code"] == ReasonCode.TOO_FEW_SLICES
