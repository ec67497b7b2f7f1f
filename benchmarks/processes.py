"""Processes that are measured: our node, and the receivers it is compared with."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread

from dicom_node.bootstrap import build_users, prepare
from dicom_node.demo.api_client import NodeAPI
from dicom_node.demo.free_port import free_port
from integrations.settings import child_environment
from integrations.system import SystemClock

READY_SECONDS = 120.0
PASSWORD = "benchmark password of this run"


@dataclass(frozen=True)
class EmbeddedNode:
    """A node that runs for a measurement."""

    dicom_port: int
    api: NodeAPI

    def wait_for_job(self, instance: Path, seconds: float) -> dict[str, Any]:
        """Wait until the study of an instance is decided and give its job."""
        study_uid = str(dcmread(instance, stop_before_pixels=True).StudyInstanceUID)
        clock = SystemClock()
        deadline = clock.monotonic() + seconds
        while clock.monotonic() < deadline:
            detail = self.api.study(study_uid)
            if self.api.decided(detail):
                return self.api.job(self.api.jobs_of(detail)[0]["job_id"])
            clock.wait(0.1)
        raise TimeoutError("the study has no decision")


@contextmanager
def running(command: Sequence[str], port: int, environment: dict[str, str] | None = None) -> Iterator[None]:
    """Run a server until the block ends, from when its port answers."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for_port(port)
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def embedded_node(data_dir: Path, quiet_time_s: float) -> Iterator[EmbeddedNode]:
    """Run ``dicom-node up`` in a folder of its own."""
    environment = child_environment(
        {
            "NODE_DATA_DIR": str(data_dir),
            "NODE_DICOM_HOST": "127.0.0.1",
            "NODE_DICOM_PORT": str(free_port()),
            "NODE_API_PORT": str(free_port()),
            "NODE_QUIET_TIME_S": str(quiet_time_s),
            "NODE_RATE_LIMIT": "0",
            "NODE_LOG_LEVEL": "WARNING",
        }
    )
    settings = prepare(environment)
    build_users(settings).create("benchmark", PASSWORD, "admin")
    with running([sys.executable, "-m", "dicom_node", "up"], settings.dicom_port, environment):
        api = NodeAPI(f"http://127.0.0.1:{settings.api_port}", SystemClock())
        api.wait_until_ready(READY_SECONDS)
        api.login("benchmark", PASSWORD)
        yield EmbeddedNode(settings.dicom_port, api)


@contextmanager
def our_receiver(folder: Path) -> Iterator[int]:
    """Run ``dicom-node receive`` alone."""
    port = free_port()
    environment = child_environment(
        {
            "NODE_DATA_DIR": str(folder),
            "NODE_DICOM_HOST": "127.0.0.1",
            "NODE_DICOM_PORT": str(port),
            "NODE_LOG_LEVEL": "WARNING",
            "NODE_QUIET_TIME_S": "3600",
        }
    )
    prepare(environment)
    with running([sys.executable, "-m", "dicom_node", "receive"], port, environment):
        yield port


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """Run DCMTK's receiver, which keeps files and nothing else."""
    port = free_port()
    with running(["/usr/bin/storescp", "--fork", "-aet", "NEURONOVA", "-od", str(folder), str(port)], port):
        yield port


@contextmanager
def orthanc(folder: Path) -> Iterator[int]:
    """Run Orthanc with its default storage."""
    port = free_port()
    config = folder / "orthanc.json"
    config.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "db"),
                "IndexDirectory": str(folder / "db"),
                "DicomPort": port,
                "HttpServerEnabled": False,
                "DicomAet": "NEURONOVA",
                "DicomAlwaysAllowStore": True,
            }
        )
    )
    with running(["/usr/sbin/Orthanc", str(config)], port):
        yield port


def _wait_for_port(port: int) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + READY_SECONDS
    while clock.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        clock.wait(0.1)
    raise TimeoutError(f"nothing listens on port {port}")
