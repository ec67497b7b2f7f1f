"""The run manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from inference.domain.identifiers import UID
from inference.domain.job import StageTime
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import SeriesRevision
from inference.encoding.objects import encode
from inference.errors import Stage
from inference.provenance import Run, library_versions, run_manifest
from tests.support.findings import PRODUCED_AT, make_case


def make_run(folder: Path) -> Run:
    """Give a run with its objects."""
    case = make_case(folder)
    stages = [StageTime(Stage.INFER, 1, datetime(2026, 1, 2, tzinfo=UTC), 1.5)]
    artifacts = encode(case.encoding)
    options = {"threads": "2", "kind": "BINARY"}
    inputs = ModelInputs(case.series)
    return Run(inputs, case.encoding.spec, "CPUExecutionProvider", artifacts, stages, PRODUCED_AT, options)


def test_the_manifest_is_json_and_names_all_that_made_the_result(tmp_path: Path) -> None:
    """Input and output by digest, model, provider, libraries and times."""
    run = make_run(tmp_path)
    manifest = json.loads(json.dumps(run_manifest(run)))
    assert len(manifest["input"]["channels"]["T1"]["instances"]) == 6
    assert manifest["model"]["sha256"] == run.spec.reference.digest
    assert manifest["execution"]["provider"] == "CPUExecutionProvider"
    assert manifest["execution"]["libraries"]["pydicom"]
    assert [o["sha256"] for o in manifest["output"]] == [a.sha256 for a in run.artifacts]
    assert manifest["stages"][0]["seconds"] == 1.5


def test_the_input_digest_changes_with_any_byte_and_not_with_the_order(tmp_path: Path) -> None:
    """It tells at a glance whether two runs had the same input."""
    run = make_run(tmp_path)
    series = run.inputs.reference
    first, *others = series.instances
    reordered = replace(series, instances=(*others, first))
    changed = replace(series, instances=(replace(first, sha256="00"), *others))

    def digest(series: SeriesRevision) -> object:
        manifest = json.loads(json.dumps(run_manifest(replace(run, inputs=ModelInputs(series)))))
        return manifest["input"]["channels"]["T1"]["sha256"]

    assert digest(series) == digest(reordered) != digest(changed)


def test_every_channel_is_named_also_one_that_was_missing(tmp_path: Path) -> None:
    """Who reads the manifest sees which series the model was given for what."""
    run = make_run(tmp_path)
    one, series = run.spec.channels[0], run.inputs.reference
    flair = replace(series, series_instance_uid=UID("1.2.3"))
    spec = replace(run.spec, channels=(one, replace(one, name="FLAIR"), replace(one, name="T2", required=False)))
    run = replace(run, spec=spec, inputs=ModelInputs(series, (flair, None)))
    manifest = json.loads(json.dumps(run_manifest(run)))
    channels = manifest["input"]["channels"]
    assert manifest["input"]["study_instance_uid"] == series.study_instance_uid
    assert list(channels) == ["T1", "FLAIR", "T2"]
    assert channels["FLAIR"]["series_instance_uid"] == "1.2.3"
    assert channels["T2"] is None


def test_nothing_of_the_patient_is_in_it(tmp_path: Path) -> None:
    """The manifest may be shown to whoever asks how a result was made."""
    text = json.dumps(run_manifest(make_run(tmp_path)))
    assert "Phantom" not in text
    assert "TEST-1" not in text


def test_what_is_not_installed_has_no_version() -> None:
    """Only one of the two runtimes ever is."""
    assert not {"onnxruntime", "onnxruntime-gpu"} <= set(library_versions())
