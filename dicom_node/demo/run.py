"""``make demo``: an embedded node, a study sent over C-STORE, and what came back, in one command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from dicom_node.bootstrap import build_catalogue, build_users, prepare
from dicom_node.demo.api_client import NodeAPI
from dicom_node.demo.free_port import free_port
from dicom_node.demo.overlay import draw_overlay
from dicom_node.demo.phantom import Rendering, load_labels, true_volumes_ml
from dicom_node.demo.phantom import write as write_phantom
from dicom_node.demo.sender import send_files
from dicom_node.folder_scan import scan
from dicom_node.signals import stop_on_signals
from dicom_node.tables import stage_table, volume_table
from inference.domain.study import SeriesRevision
from inference.errors import ConfigurationError, NodeError
from inference.ports import Clock
from integrations.settings import Settings, child_environment
from integrations.system import RandomUIDSource, SystemClock

MARKER = ".neuronova-demo"
READY_SECONDS = 120.0
RESULT_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class DemoNode:
    """The running node of the demonstration.

    Parameters
    ----------
    settings
        Its settings.
    api
        Its API, logged in.
    username, password
        For the person who looks at the page.
    """

    settings: Settings
    api: NodeAPI
    username: str
    password: str


def run_demo(study: Path | None, out: Path, keep_serving: bool, viewer: Path | None = None) -> None:
    """Run the demonstration.

    Parameters
    ----------
    study
        A folder of DICOM to send; None sends the built-in phantom.
    out
        Folder of the demonstration, made anew.
    keep_serving
        Whether the node goes on until Ctrl-C afterwards.
    viewer
        Folder with OHIF, which the node then serves.

    Raises
    ------
    NodeError
        If the node does not start, or the study ends without a decision.
    """
    console, clock = Console(), SystemClock()
    if study is not None and study.resolve().is_relative_to(out.resolve()):
        raise ConfigurationError(f"{study} lies in {out}, which is made anew; choose another --out")
    _fresh_folder(out)
    folder = study or _phantom(out / "phantom", console)
    found = scan(folder)
    if not found.series:
        raise ConfigurationError(f"{folder}: no DICOM instance in there")
    with _running_node(out, clock, console, viewer) as node:
        _send(found.series, node, console)
        for study_uid in sorted({series.study_instance_uid for series in found.series}):
            detail = _wait_for_decisions(node, study_uid, clock, console)
            _show(detail, found.series, out, node, console)
        _say_where(out, node, console)
        if keep_serving:
            console.print("The node keeps serving; stop it with Ctrl-C.")
            stop_on_signals().wait()


def _fresh_folder(out: Path) -> None:
    if out.exists() and any(out.iterdir()) and not (out / MARKER).exists():
        raise ConfigurationError(f"{out} holds something that is not an earlier demonstration; choose another --out")
    rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARKER).touch()


def _phantom(folder: Path, console: Console) -> Path:
    with console.status("Drawing the digital head phantom …"):
        paths = write_phantom(folder, Rendering())
    console.print(f"Digital head phantom: {len(paths)} slices in {folder}")
    return folder


@contextmanager
def _running_node(out: Path, clock: Clock, console: Console, viewer: Path | None = None) -> Iterator[DemoNode]:
    environment = child_environment(
        {
            "NODE_DATA_DIR": str((out / "node").resolve()),
            "NODE_DICOM_HOST": "127.0.0.1",
            "NODE_DICOM_PORT": str(free_port()),
            "NODE_API_PORT": str(free_port()),
            "NODE_QUIET_TIME_S": "2",
            "NODE_RATE_LIMIT": "0",
            **({"NODE_VIEWER_DIR": str(viewer.resolve())} if viewer else {}),
        }
    )
    settings = prepare(environment)
    username, password = "demo", RandomUIDSource().token()
    build_users(settings).create(username, password, "radiologist")
    with (out / "node.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dicom_node", "up"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            api = NodeAPI(f"http://127.0.0.1:{settings.api_port}", clock)
            with console.status("Starting the node …"):
                api.wait_until_ready(READY_SECONDS)
                api.login(username, password)
            console.print(f"Node {settings.ae_title} listens on port {settings.dicom_port}")
            yield DemoNode(settings, api, username, password)
        finally:
            process.terminate()
            process.wait()


def _send(series: Sequence[SeriesRevision], node: DemoNode, console: Console) -> None:
    paths = [instance.path for one in series for instance in one.instances]
    with Progress(console=console) as progress:
        task = progress.add_task("Sending over C-STORE", total=len(paths))
        send_files(paths, node.settings.dicom_port, str(node.settings.ae_title), lambda: progress.advance(task))


def _wait_for_decisions(node: DemoNode, study_uid: str, clock: Clock, console: Console) -> dict[str, Any]:
    deadline = clock.monotonic() + RESULT_SECONDS
    with console.status("Waiting for the study to be complete …") as status:
        while clock.monotonic() < deadline:
            detail = node.api.study(study_uid)
            states = sorted({job["state"] for job in node.api.jobs_of(detail)})
            if node.api.decided(detail):
                return detail
            status.update(f"Job: {', '.join(states)} …" if states else "Waiting for the study to be complete …")
            clock.wait(0.3)
    raise NodeError("the study has no decision yet; the node's log tells more")


def _show(
    detail: dict[str, Any], series: Sequence[SeriesRevision], out: Path, node: DemoNode, console: Console
) -> None:
    known = {one.series_instance_uid: one for one in series}
    truth = _truth(node) if (out / "phantom").exists() else {}
    for job in node.api.jobs_of(detail):
        if job["state"] != "COMPLETED":
            why = f"{job['error']['code']}: {job['error']['message']}" if job["error"] else "a person stopped it"
            console.print(f"[bold]{job['state']}[/bold] {escape(why)}")
            continue
        shown = node.api.job(job["job_id"])
        console.print(volume_table(shown["measurements"], truth))
        console.print(stage_table(shown["stages"]))
        _draw(shown, known, out, node, console)


def _truth(node: DemoNode) -> dict[str, float]:
    labels = {label.value: label.name for spec in build_catalogue(node.settings).active() for label in spec.labels}
    volumes = true_volumes_ml(load_labels())
    return {labels[value]: volume for value, volume in volumes.items() if value in labels}


def _draw(job: dict[str, Any], known: dict[Any, SeriesRevision], out: Path, node: DemoNode, console: Console) -> None:
    source = known[job["series_uid"]]
    stored = {
        i.identity.sop_instance_uid: i.path for s in scan(node.settings.archive_dir).series for i in s.instances
    }
    for artifact in job["artifacts"]:
        path = stored[artifact["sop_instance_uid"]]
        console.print(f"{artifact['kind']:<8} {path}", soft_wrap=True)
        if artifact["kind"] == "SEG":
            picture = out / f"overlay-{job['job_id'][:8]}.png"
            draw_overlay(source, path, picture)
            console.print(f"overlay  {picture.resolve()}", soft_wrap=True)
    console.print(f"report   {job['report']}", soft_wrap=True)


def _say_where(out: Path, node: DemoNode, console: Console) -> None:
    account = f"user {node.username}  password {node.password}"
    console.print(f"page     http://127.0.0.1:{node.settings.api_port}/  {account}", soft_wrap=True)
    console.print(f"API docs http://127.0.0.1:{node.settings.api_port}/api/docs/")
    console.print(f"log      {(out / 'node.log').resolve()}", soft_wrap=True)
    console.print("Research use only, not for diagnosis.")
