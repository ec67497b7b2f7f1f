"""A real HAPI FHIR R4 JPA server, built and started once per test run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.free_port import free_port
from tests.support.waiting import wait_until

PROJECT: Final = Path(__file__).resolve().parents[1] / "servers" / "fhir"
JAR: Final = PROJECT / "target" / "fhir-test-server.jar"
JVM_OPTIONS: Final = ("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""The serial collector and the first compiler only: half the start time and half the memory."""

BUILD_LIMIT_S: Final = 900
START_LIMIT_S: Final = 240
STOP_LIMIT_S: Final = 30
COUNTED: Final = ("Patient", "ImagingStudy", "Device", "Observation", "DiagnosticReport", "Provenance")


@dataclass(frozen=True)
class FHIRServer:
    """A running server.

    Parameters
    ----------
    base_url
        Address of its FHIR endpoint.
    """

    base_url: str

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """Read or search; give the JSON answer."""
        answer = httpx.get(f"{self.base_url}/{path}", params=parameters or None, timeout=60)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def search(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """Give the resources that a search finds (at most 200)."""
        bundle = self.get(path, _count="200", **parameters)
        return [entry["resource"] for entry in bundle.get("entry", [])]

    def counts(self) -> dict[str, int]:
        """Count the resources of every type that a report is made of."""
        return {kind: int(self.get(kind, _summary="count")["total"]) for kind in COUNTED}

    def faults(self, resource: dict[str, Any]) -> list[str]:
        """Validate a resource on the server and give what is wrong with it.

        The HTTP status is 200 even for a wrong resource, so the issues are read.
        """
        url = f"{self.base_url}/{resource['resourceType']}/$validate"
        answer = httpx.post(url, json=resource, timeout=120)
        issues = answer.json().get("issue", [])
        return [issue["diagnostics"] for issue in issues if issue["severity"] in ("error", "fatal")]


def missing_tools() -> list[str]:
    """Name the programs that are needed and not there."""
    wanted = ["java"] if JAR.exists() else ["java", "mvn"]
    return [tool for tool in wanted if shutil.which(tool) is None]


def build_jar() -> None:
    """Build the server where it is not built yet; needs Maven Central or a filled local repository."""
    if not JAR.exists():
        command = ["mvn", "-B", "-q", "-f", str(PROJECT / "pom.xml"), "package"]
        subprocess.run(command, check=True, timeout=BUILD_LIMIT_S)


@contextmanager
def running_fhir_server(folder: Path, *properties: str) -> Iterator[FHIRServer]:
    """Start a server with its database and log in ``folder``; stop it at the end.

    Parameters
    ----------
    folder
        Is made where it does not exist.
    properties
        Further settings, e.g. ``fhir.validate=true``.
    """
    build_jar()
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    options = [f"-D{name}" for name in (f"fhir.port={port}", f"fhir.data={folder / 'data'}", *properties)]
    with (folder / "fhir.log").open("wb") as log:
        process = subprocess.Popen(
            ["java", *JVM_OPTIONS, *options, "-jar", str(JAR)], stdout=log, stderr=log, cwd=folder
        )
        try:
            server = FHIRServer(f"http://127.0.0.1:{port}/fhir")
            wait_until(lambda: _ready(server, process), START_LIMIT_S, "the FHIR server to answer")
            yield server
        finally:
            _stop(process)


@pytest.fixture(scope="session")
def fhir_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FHIRServer]:
    """Give the server of this test run; it refuses any write that does not validate."""
    missing = missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    with running_fhir_server(tmp_path_factory.mktemp("fhir"), "fhir.validate=true") as server:
        yield server


def _ready(server: FHIRServer, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"the FHIR server ended with status {process.returncode}")
    try:
        return httpx.get(f"{server.base_url}/Patient?_summary=count", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_LIMIT_S)
