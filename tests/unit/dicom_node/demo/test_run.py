"""The demonstration's own steps; the whole of it is run by hand and in the end-to-end tests' node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from rich.console import Console

from dicom_node.cli import cli
from dicom_node.demo import run
from dicom_node.demo.api_client import NodeAPI
from dicom_node.demo.run import MARKER, DemoNode, run_demo
from dicom_node.folder_scan import scan
from inference.domain.job import StageTime
from inference.domain.model_inputs import ModelInputs
from inference.errors import ConfigurationError, NodeError, PeerUnavailable
from inference.pipeline import Surroundings, analyse
from integrations.orthanc.folder import FolderArchive
from integrations.settings import Settings
from tests.support.fakes import FixedClock
from tests.support.small_analysis import SPEC, ThresholdRunner, write_blocks


class Node:
    """A node whose API answers what the test says, and whose archive holds a real result.

    Parameters
    ----------
    folder
        Of the demonstration.
    """

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        self.out.mkdir()
        self.settings = Settings(data_dir=self.out / "node", queue_secret="s" * 40, jwt_secret="s" * 40)
        write_blocks(folder / "in")
        (self.series,) = scan(folder / "in").series
        self.jobs: list[dict[str, Any]] = []
        self.studies: list[dict[str, Any]] = []
        self.clock = FixedClock()
        api = NodeAPI("http://node", self.clock, httpx.MockTransport(self._answer))
        self.demo = DemoNode(self.settings, api, "demo", "secret")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/api/jobs/"):
            return httpx.Response(200, json=self.jobs[0])
        return httpx.Response(200, json=self.studies.pop(0) if len(self.studies) > 1 else self.studies[0])

    def complete(self) -> None:
        """Put a result into the archive, and a completed job into the API."""
        times: list[StageTime] = []
        analysis = analyse(ModelInputs(self.series), SPEC, Surroundings(ThresholdRunner(), self.clock, times.append))
        FolderArchive(self.settings.archive_dir).deliver(analysis.artifacts)
        found, artifacts = analysis.report.measurements, analysis.artifacts
        self.jobs = [
            {
                "job_id": "0123456789abcdef",
                "state": "COMPLETED",
                "error": None,
                "series_uid": self.series.series_instance_uid,
                "measurements": [{"label": m.label, "value": m.value, "unit": "mL"} for m in found],
                "stages": [{"stage": time.stage.value, "seconds": time.seconds} for time in times],
                "artifacts": [
                    {"kind": a.kind.value, "sop_instance_uid": a.identity.sop_instance_uid} for a in artifacts
                ],
                "report": "reports/1.json",
            }
        ]

    def shown(self, *jobs: dict[str, Any]) -> str:
        """Give what a person sees of jobs."""
        console = Console(width=200, record=True, quiet=False, file=(self.out / "console").open("w"))
        detail = {"series": [{"decision": "analysed", "jobs": list(jobs)}]}
        run._show(detail, [self.series], self.out, self.demo, console)
        return console.export_text()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """Give a node."""
    return Node(tmp_path)


def test_a_completed_job_is_shown_with_its_picture(node: Node) -> None:
    """Volumes, times, where the objects are, and an overlay drawn from what the archive holds."""
    node.complete()
    text = node.shown(*node.jobs)
    for word in ("Structure 1", "1.0 mL", "encode", "SEG", "SR", "reports/1.json", "overlay"):
        assert word in text
    assert (node.out / "overlay-01234567.png").exists()
    for artifact in node.jobs[0]["artifacts"]:
        assert str(node.settings.archive_dir) in text
        assert artifact["kind"] in text


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"state": "REJECTED", "error": {"code": "geometry.gap", "message": "a [slice] is missing"}}, "a [slice]"),
        ({"state": "FAILED", "error": {"code": "inference.non_finite", "message": "NaN"}}, "inference.non_finite"),
        ({"state": "CANCELLED", "error": None}, "a person stopped it"),
    ],
    ids=["rejected", "failed", "cancelled"],
)
def test_a_job_without_a_result_says_why(node: Node, job: dict[str, Any], words: str) -> None:
    """Whatever the end, there is a word for it, printed as it is."""
    text = node.shown(job)
    assert job["state"] in text
    assert words in text


def test_it_waits_for_every_decision(node: Node) -> None:
    """From nothing over a running job to its end."""
    running = {"series": [{"decision": "analysed", "jobs": [{"state": "PROCESSING"}]}]}
    ended = {"series": [{"decision": "analysed", "jobs": [{"state": "COMPLETED"}]}]}
    node.studies = [{"series": []}, running, ended]
    found = run._wait_for_decisions(node.demo, "1.2.3", node.clock, Console(quiet=True))
    assert found == ended
    assert len(node.clock.waits) == 2


def test_it_does_not_wait_for_ever(node: Node) -> None:
    """A person is told where to look."""
    node.studies = [{"series": []}]
    with pytest.raises(NodeError, match="log"):
        run._wait_for_decisions(node.demo, "1.2.3", node.clock, Console(quiet=True))


def test_truth_is_by_the_names_of_the_model(node: Node) -> None:
    """The phantom's values are the labels of the built-in model."""
    truth = run._truth(node.demo)
    assert len(truth) == 17
    assert 5 < truth["Thalamus"] < 30


def test_only_its_own_folder_is_made_anew(tmp_path: Path) -> None:
    """A folder of somebody else is left alone; an earlier demonstration is cleared."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="choose another"):
        run_demo(None, tmp_path, keep_serving=False)
    assert (tmp_path / "notes.txt").exists()

    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / MARKER).touch()
    (earlier / "old").touch()
    run._fresh_folder(earlier)
    assert [path.name for path in earlier.iterdir()] == [MARKER]


def test_a_study_within_the_folder_is_not_deleted(tmp_path: Path) -> None:
    """What a person wants to send must not be cleared away first."""
    (tmp_path / MARKER).touch()
    paths = write_blocks(tmp_path / "study")
    with pytest.raises(ConfigurationError, match="lies in"):
        run_demo(tmp_path / "study", tmp_path, keep_serving=False)
    assert all(path.exists() for path in paths)


def test_a_folder_without_dicom_is_told_before_anything_starts(tmp_path: Path) -> None:
    """No node is started for it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    with pytest.raises(ConfigurationError, match="no DICOM"):
        run_demo(tmp_path / "in", tmp_path / "out", keep_serving=False)
    assert not (tmp_path / "out" / "node").exists()


def test_the_command_takes_study_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``make demo STUDY=…`` gives the folder by environment; an empty one is none."""
    called: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        run, "run_demo", lambda study, out, keep_serving, viewer: called.append((study, out, keep_serving, viewer))
    )
    runner = CliRunner()
    assert runner.invoke(cli, ["demo", "--out", str(tmp_path / "o")], env={"STUDY": str(tmp_path)}).exit_code == 0
    assert runner.invoke(cli, ["demo"], env={"STUDY": ""}).exit_code == 0
    assert runner.invoke(cli, ["demo", "--viewer", str(tmp_path)]).exit_code == 0
    assert called == [
        (tmp_path, tmp_path / "o", False, None),
        (None, Path("demo-output"), False, None),
        (None, Path("demo-output"), False, tmp_path),
    ]


def test_a_node_that_does_not_start_leaves_nothing_running(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The child is ended before the error goes on."""
    children: list[Any] = []
    popen = run.subprocess.Popen

    def start(arguments: list[str], **options: Any) -> Any:
        children.append(popen(["sleep", "60"], **options))
        return children[-1]

    monkeypatch.setattr(run.subprocess, "Popen", start)
    monkeypatch.setattr(run, "READY_SECONDS", 1.0)
    console = Console(quiet=True)
    with pytest.raises(PeerUnavailable), run._running_node(tmp_path, node.clock, console):
        pass
    assert children[0].poll() is not None
