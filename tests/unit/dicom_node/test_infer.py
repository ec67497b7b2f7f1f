"""``dicom-node infer``: the document of docs/infer.md, to the letter."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydicom import dcmread

from dicom_node.cli import cli
from dicom_node.infer import OfflineNode, infer_folder
from inference.domain.identifiers import UID
from inference.domain.model_spec import ModelSpec, Plausibility, Weighting
from inference.errors import IncompleteSeries, NonFiniteOutput, ReasonCode, StoreUnavailable
from integrations.settings import child_environment
from tests.support.arrivals import small_series
from tests.support.fakes import FixedCatalogue, FixedClock
from tests.support.model_packages import with_id
from tests.support.relaxed_model import MODEL_ID, write_relaxed_model
from tests.support.repository import REPOSITORY
from tests.support.several_channels import study_uid, with_channels, write_contrast
from tests.support.small_analysis import SPEC, STEP, TRUE_VOLUMES_ML, ThresholdRunner, blocks, write_blocks
from tests.support.synthetic_series import SeriesOptions

ENTRY_KEYS = {
    *("series_uid", "description", "modality", "instances"),
    *("decision", "reason", "model", "channels", "answer", "measurements", "artifacts", "timings_s"),
}
STAGES = {"volume", "preprocess", "infer", "postprocess", "measure", "encode"}
REFERENCE = {"id": SPEC.reference.model_id, "version": SPEC.reference.version, "digest": SPEC.reference.digest}


def offline(*models: ModelSpec, runner: ThresholdRunner | None = None) -> OfflineNode:
    """Give a node without a network."""
    return OfflineNode(FixedCatalogue(models), runner or ThresholdRunner(), FixedClock())


def infer(folder: Path, node: OfflineNode) -> list[dict[str, Any]]:
    """Analyse a folder and give the entries, as they come back from JSON."""
    document, _ = infer_folder(folder / "in", folder / "out", node)
    read: dict[str, list[dict[str, Any]]] = json.loads(json.dumps(document, allow_nan=False))
    assert set(read) == {"series"}
    for entry in read["series"]:
        assert set(entry) == ENTRY_KEYS
        assert (entry["decision"] == "rejected") == (entry["reason"] is not None)
        assert entry["reason"] is None or set(entry["reason"]) == {"code", "message"}
        assert entry["model"] is None or set(entry["model"]) == {"id", "version", "digest"}
    return read["series"]


def test_an_analysed_series(tmp_path: Path) -> None:
    """Measurements with codes and units, objects where the document says, and a time for each stage."""
    paths = write_blocks(tmp_path / "in")

    (entry,) = infer(tmp_path, offline(SPEC))

    header = dcmread(paths[0])
    assert entry["series_uid"] == header.SeriesInstanceUID
    assert (entry["description"], entry["modality"], entry["instances"]) == ("t1_mprage_sag", "MR", 12)
    assert (entry["decision"], entry["model"]) == ("analysed", REFERENCE)
    assert entry["channels"] == {"T1": header.SeriesInstanceUID}
    assert entry["answer"] == {"task": "segmentation"}
    measured = {one["label"]: one for one in entry["measurements"]}
    assert {label: measured[label]["value"] for label in TRUE_VOLUMES_ML} == pytest.approx(TRUE_VOLUMES_ML)
    for one in entry["measurements"]:
        assert set(one) == {"label", "code", "value", "unit"}
        assert one["unit"] == "mL"
    assert measured["Structure 1"]["code"] == "1001"
    assert set(entry["timings_s"]) == STAGES
    assert [set(artifact) for artifact in entry["artifacts"]] == [{"kind", "path", "sop_instance_uid"}] * 3
    assert [artifact["kind"] for artifact in entry["artifacts"]] == ["SEG", "SR", "FHIR"]


def test_the_objects_are_what_the_document_says(tmp_path: Path) -> None:
    """Each path holds the instance that is named; the FHIR bundle is JSON and has no instance."""
    write_blocks(tmp_path / "in")
    (entry,) = infer(tmp_path, offline(SPEC))
    seg, sr, fhir = entry["artifacts"]
    for artifact in (seg, sr):
        data_set = dcmread(artifact["path"])
        assert (data_set.SOPInstanceUID, data_set.Modality) == (artifact["sop_instance_uid"], artifact["kind"])
    assert fhir["sop_instance_uid"] is None
    assert json.loads(Path(fhir["path"]).read_text(encoding="utf-8"))["resourceType"] == "Bundle"
    written = {path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written == {Path(artifact["path"]) for artifact in entry["artifacts"]}


def test_the_same_folder_gives_the_same_identifiers(tmp_path: Path) -> None:
    """A second run replaces the first one's files."""
    write_blocks(tmp_path / "in")
    first, second = (infer(tmp_path, offline(SPEC))[0]["artifacts"] for _ in range(2))
    assert first == second


def test_one_entry_for_each_matching_model(tmp_path: Path) -> None:
    """Results of several models lie side by side."""
    write_blocks(tmp_path / "in")
    entries = infer(tmp_path, offline(SPEC, with_id(SPEC, "other")))
    assert [entry["model"]["id"] for entry in entries] == ["other", "test_model"]
    paths = {artifact["path"] for entry in entries for artifact in entry["artifacts"]}
    assert len(paths) == 6


def test_a_series_that_no_model_wants(tmp_path: Path) -> None:
    """One entry with the reason, no model and nothing written."""
    write_blocks(tmp_path / "in", SeriesOptions(header={"Modality": "CT"}))

    (entry,) = infer(tmp_path, offline(SPEC, with_id(SPEC, "other")))

    assert (entry["decision"], entry["reason"]["code"]) == ("rejected", "selection.modality")
    assert (entry["model"], entry["measurements"], entry["artifacts"], entry["timings_s"]) == (None, [], [], {})
    assert entry["channels"] == {}
    assert list((tmp_path / "out").iterdir()) == []


def test_a_result_that_is_refused_names_its_model(tmp_path: Path) -> None:
    """The series matched, so the reader learns which model refused, and no number."""
    write_blocks(tmp_path / "in")

    (entry,) = infer(tmp_path, offline(replace(SPEC, plausibility=Plausibility((500.0, 900.0), ()))))

    assert (entry["decision"], entry["reason"]["code"]) == ("rejected", "result.implausible")
    assert (entry["model"], entry["measurements"], entry["artifacts"]) == (REFERENCE, [], [])
    assert set(entry["timings_s"]) == STAGES - {"encode"}
    assert list((tmp_path / "out").iterdir()) == []


def test_one_bad_series_does_not_keep_the_others_from_their_result(tmp_path: Path) -> None:
    """Each series has its own decision: a fault of one model on one series stays there."""
    write_blocks(tmp_path / "in" / "a", SeriesOptions(seed=1))
    write_blocks(tmp_path / "in" / "b", SeriesOptions(seed=2))
    damaged = min((tmp_path / "in" / "a").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-300])
    runner = ThresholdRunner()

    entries = infer(tmp_path, offline(SPEC, runner=runner))

    assert sorted(entry["decision"] for entry in entries) == ["analysed", "rejected"]
    (rejected,) = [entry for entry in entries if entry["reason"]]
    assert rejected["reason"]["code"].startswith("pixel.")
    assert len(runner.ran) == 1


def test_a_model_that_fails_is_a_reason_too(tmp_path: Path) -> None:
    """Exit status and document hold for faults of the model as well."""
    write_blocks(tmp_path / "in")
    (entry,) = infer(tmp_path, offline(SPEC, runner=ThresholdRunner(failures=[NonFiniteOutput("NaN")])))
    assert (entry["decision"], entry["reason"]["code"]) == ("rejected", "inference.non_finite")


def test_a_defect_of_ours_is_a_reason_and_costs_no_other_series(tmp_path: Path) -> None:
    """An exception that nobody foresaw ends one series, by name; the document still has a decision for each."""
    write_blocks(tmp_path / "in" / "first", SeriesOptions(seed=1))
    write_blocks(tmp_path / "in" / "second", SeriesOptions(seed=2))
    entries = infer(tmp_path, offline(SPEC, runner=ThresholdRunner(failures=[RuntimeError("a secret detail")])))
    failed, analysed = sorted(entries, key=lambda entry: entry["decision"] == "analysed")
    assert failed["reason"] == {"code": "node.unexpected", "message": "unexpected RuntimeError"}
    assert analysed["decision"] == "analysed"


def test_a_model_that_publishes_no_report_writes_none(tmp_path: Path) -> None:
    """The manifest decides what is made."""
    write_blocks(tmp_path / "in")
    (entry,) = infer(tmp_path, offline(replace(SPEC, publication=replace(SPEC.publication, fhir=False))))
    assert [artifact["kind"] for artifact in entry["artifacts"]] == ["SEG", "SR"]


def test_an_empty_folder_is_an_empty_document(tmp_path: Path) -> None:
    """Nothing to decide; what was skipped is told to the person, without its folder."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    document, notes = infer_folder(tmp_path / "in", tmp_path / "out", offline(SPEC))
    assert document == {"series": []}
    (note,) = notes
    assert note.startswith("notes.txt: ")


def test_a_series_whose_headers_break_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has an entry of its own, with as much as is known of it."""
    write_blocks(tmp_path / "in")

    def broken(_series: object, _charsets: object) -> object:
        raise IncompleteSeries(ReasonCode.MISSING_ATTRIBUTE, "the header of an instance cannot be read")

    monkeypatch.setattr("dicom_node.infer.describe_revision", broken)
    (entry,) = infer(tmp_path, offline(SPEC))
    assert (entry["reason"]["code"], entry["instances"]) == ("series.missing_attribute", 12)
    assert (entry["description"], entry["modality"]) == ("", "")


@pytest.mark.parametrize("blocked", ["out", "series", "file"])
def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path: Path, blocked: str) -> None:
    """A person gets one line, not a trace of our insides."""
    write_blocks(tmp_path / "in")
    out = tmp_path / "out"
    if blocked == "out":
        out.write_text("a file is in the way")
    else:
        series_uid = dcmread(next((tmp_path / "in").iterdir())).SeriesInstanceUID
        result = out / f"{series_uid}_{SPEC.reference.model_id}"
        if blocked == "series":
            out.mkdir()
            result.write_text("a file is in the way")
        else:
            (result / "seg.dcm").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        infer_folder(tmp_path / "in", out, offline(SPEC))


def test_a_table_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``--json`` the same facts come as tables, and the status is 0 although one series is rejected."""
    monkeypatch.setattr("dicom_node.bootstrap.build_offline", lambda _: offline(SPEC))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    write_blocks(tmp_path / "in" / "a", SeriesOptions(seed=1))
    write_blocks(tmp_path / "in" / "b", SeriesOptions(seed=2, header={"Modality": "CT"}))

    done = CliRunner().invoke(cli, ["infer", "in", "--out", "out"])

    assert done.exit_code == 0, done.output
    for word in ("analysed", "rejected", "test_model 1.0.0", "Structure 1", "1.0 mL"):
        assert word in done.stdout


def test_standard_output_is_one_json_document_and_nothing_else(tmp_path: Path) -> None:
    """With a real network in a process of its own: notes go to standard error, no data folder is made, status 0."""
    models = write_relaxed_model(tmp_path / "models")
    write_blocks(tmp_path / "in" / "t1", SeriesOptions(seed=1))
    small_series(tmp_path / "in" / "few", slices=3, seed=2)
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    here = tmp_path / "here"
    here.mkdir()
    command = [sys.executable, "-m", "dicom_node", "infer", str(tmp_path / "in"), "--out", "out", "--json"]
    environment = child_environment({"NODE_MODELS_DIRS": str(models), "PYTHONPATH": str(REPOSITORY)})

    done = subprocess.run(
        command, cwd=here, env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    entries = json.loads(done.stdout)["series"]
    assert sorted((entry["decision"], (entry["model"] or {}).get("id")) for entry in entries) == [
        ("analysed", MODEL_ID),
        ("rejected", None),
    ]
    assert "skipped notes.txt" in done.stderr
    assert [path.name for path in here.iterdir()] == ["out"]
    assert "Phantom" not in done.stderr


# Models with several channels

TWO = with_id(with_channels(SPEC, T1=Weighting.T1, FLAIR=Weighting.FLAIR), "two_channels")
FIRST, SECOND = study_uid("first"), study_uid("second")


def write_study(folder: Path, study: UID, *weightings: Weighting) -> dict[str, str]:
    """Write the blocks as several contrasts of a study; give the series of each."""
    return {
        weighting.value: dcmread(
            write_contrast(folder / f"{study}{weighting}", weighting, study, blocks() * STEP)[0]
        ).SeriesInstanceUID
        for weighting in weightings
    }


def by_series(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give the only entry of each series."""
    assert len({entry["series_uid"] for entry in entries}) == len(entries)
    return {entry["series_uid"]: entry for entry in entries}


def test_a_model_with_several_channels_runs_once_for_a_study(tmp_path: Path) -> None:
    """The result stands with the first channel's series; the other says with which series it was read."""
    written = write_study(tmp_path / "in", FIRST, Weighting.FLAIR, Weighting.T1, Weighting.T2)
    runner = ThresholdRunner()

    entries = by_series(infer(tmp_path, offline(TWO, runner=runner)))

    t1, flair, t2 = (entries[written[name]] for name in ("T1", "FLAIR", "T2"))
    assert len(runner.ran) == 1
    assert {one["decision"] for one in (t1, flair)} == {"analysed"}
    assert t1["channels"] == flair["channels"] == {"T1": written["T1"], "FLAIR": written["FLAIR"]}
    assert [artifact["kind"] for artifact in t1["artifacts"]] == ["SEG", "SR", "FHIR"]
    assert {one["label"] for one in t1["measurements"]} >= set(TRUE_VOLUMES_ML)
    assert (flair["answer"], flair["measurements"], flair["artifacts"], flair["timings_s"]) == (None, [], [], {})
    assert (t2["decision"], t2["reason"]["code"], t2["channels"]) == ("rejected", "selection.sequence", {})


def test_studies_are_kept_apart(tmp_path: Path) -> None:
    """A channel is never taken from another study, and what a study lacks is named with each of its series."""
    first = write_study(tmp_path / "in", FIRST, Weighting.FLAIR)
    second = write_study(tmp_path / "in", SECOND, Weighting.T1)

    entries = by_series(infer(tmp_path, offline(TWO)))

    messages = {
        first["FLAIR"]: "the study has no T1; found: FLAIR",
        second["T1"]: "the study has no FLAIR; found: T1",
    }
    for series_uid, message in messages.items():
        entry = entries[series_uid]
        assert entry["reason"] == {"code": "selection.channel_missing", "message": message}
        assert (entry["decision"], entry["model"]["id"], entry["measurements"]) == ("rejected", "two_channels", [])
    assert entries[first["FLAIR"]]["channels"] == {"T1": None, "FLAIR": first["FLAIR"]}


def test_a_missing_optional_channel_is_named(tmp_path: Path) -> None:
    """The model runs without it; the document says that it did."""
    written = write_study(tmp_path / "in", FIRST, Weighting.T1)
    (t1, flair) = TWO.channels
    spec = replace(TWO, channels=(t1, replace(flair, required=False)))
    (entry,) = infer(tmp_path, offline(spec))
    assert (entry["decision"], entry["channels"]) == ("analysed", {"T1": written["T1"], "FLAIR": None})


def test_models_with_one_and_with_several_channels_work_side_by_side(tmp_path: Path) -> None:
    """A series has an entry for each of them."""
    written = write_study(tmp_path / "in", FIRST, Weighting.T1, Weighting.FLAIR)
    entries = infer(tmp_path, offline(SPEC, TWO))
    assert [(entry["series_uid"], entry["model"]["id"]) for entry in entries if entry["artifacts"]] == [
        (written["T1"], "test_model"),
        (written["T1"], "two_channels"),
    ]
