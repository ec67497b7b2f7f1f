"""A small hospital: every real server, and the node's own processes, wired as production wires them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from inference.domain.job import TERMINAL, QueueName
from integrations.settings import child_environment
from tests.support.api_process import UNCOUNTED
from tests.support.fhir_server import FHIRServer
from tests.support.free_port import free_port
from tests.support.mariadb_server import MariaDB
from tests.support.nginx_server import Gateway, start_gateway
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc
from tests.support.redis_server import RedisServer
from tests.support.server_process import ServerProcess
from tests.support.waiting import wait_until

COMMANDS: Final = {
    "receiver": ("receive",),
    "inference": ("work", "--queue", QueueName.INFERENCE.value),
    "delivery": ("work", "--queue", QueueName.DELIVERY.value, "--threads", "2"),
    "api": ("api",),
}
USER: Final = "radiologist"
PASSWORD: Final = "a long password for tests"


def jobs_of(study: dict[str, Any]) -> list[dict[str, Any]]:
    """List the jobs of all series of a study."""
    return [job for series in study["series"] for job in series["jobs"]]


class Node:
    """The node's processes, each of which can be killed and started again.

    Parameters
    ----------
    folder
        Its data and logs.
    servers
        Settings that name the servers.
    """

    def __init__(self, folder: Path, servers: dict[str, str]) -> None:
        self.folder = folder
        self.dicom_port = free_port()
        self.api_port = free_port()
        self.environment = child_environment(
            {
                "NODE_DATA_DIR": str(folder / "data"),
                "NODE_DICOM_HOST": "127.0.0.1",
                "NODE_DICOM_PORT": str(self.dicom_port),
                "NODE_API_PORT": str(self.api_port),
                "NODE_QUEUE_SECRET": "queue secret for tests, long enough",
                "NODE_JWT_SECRET": "token secret for tests, long enough!",
                "NODE_LEASE_SECONDS": "8",
                "NODE_REAP_INTERVAL_S": "1",
                "NODE_RETRY_BASE_S": "1",
                **UNCOUNTED,
                **servers,
            }
        )
        self._processes: dict[str, ServerProcess] = {}

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run one ``dicom-node`` command to its end and give what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "dicom_node", *arguments],
            env=self.environment, input=stdin, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *names: str) -> None:
        """Start processes; all where none is named."""
        for name in names or COMMANDS:
            self._processes[name] = ServerProcess(
                [sys.executable, "-m", "dicom_node", *COMMANDS[name]], self.folder / f"{name}.log", self.environment
            )
        if not names or "api" in names:
            self._processes["api"].wait_ready(self._api_answers, "the API")
        if not names or "receiver" in names:
            self._processes["receiver"].wait_ready(self._receiver_answers, "the receiver")

    def kill(self, name: str) -> None:
        """End a process as a power cut would; gunicorn's workers see that their parent is gone, and end too."""
        self._processes[name].kill()
        if name == "api":
            wait_until(lambda: not self._api_answers(), 20, "the end of the API's worker")

    def stop(self) -> None:
        """End all processes."""
        for process in self._processes.values():
            process.stop()

    def logs(self) -> str:
        """Give all that the processes logged."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def _api_answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.api_port}/api/health/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _receiver_answers(self) -> bool:
        from tests.support.dcmtk import echoscu

        return echoscu(self.dicom_port).returncode == 0


@dataclass(frozen=True)
class Hospital:
    """All servers and the node.

    Parameters
    ----------
    orthanc, fhir, node, gateway
        The archive, the report server, the node, and the one public door in front of its API.
    client
        An HTTP client of the gateway, logged in.
    """

    orthanc: OrthancServer
    fhir: FHIRServer
    node: Node
    gateway: Gateway
    client: httpx.Client

    def get(self, path: str) -> dict[str, Any]:
        """Read from the API through the gateway."""
        answer = self.client.get(path)
        assert answer.status_code == httpx.codes.OK, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def study(self, study_uid: str) -> dict[str, Any]:
        """Give a study with series, decisions and jobs."""
        return self.get(f"/api/studies/{study_uid}")

    def job(self, job_id: str) -> dict[str, Any]:
        """Give a job with result and stage times."""
        return self.get(f"/api/jobs/{job_id}")

    def knows(self, study_uid: str) -> bool:
        """Tell whether the node has anything of a study."""
        return self.client.get(f"/api/studies/{study_uid}").status_code == httpx.codes.OK

    def complete(self, study_uid: str) -> None:
        """Say that a study is complete."""
        answer = self.client.post(f"/api/studies/{study_uid}/complete", json={})
        assert answer.is_success, answer.text

    def wait_until_decided(self, study_uid: str, timeout_s: float = 180.0) -> dict[str, Any]:
        """Wait until every series has a decision and every job has ended, and give the study."""

        def decided() -> bool:
            if not self.knows(study_uid):
                return False
            study = self.study(study_uid)
            series_decided = bool(study["series"]) and all(one["decision"] for one in study["series"])
            return series_decided and all(job["state"] in TERMINAL for job in jobs_of(study))

        wait_until(decided, timeout_s, "every series' decision and every job's end")
        return self.study(study_uid)

    def archived(self, study_uid: str, modality: str) -> list[FileDataset]:
        """Read the instances of one modality that the archive holds of a study."""
        found = self.orthanc.client.post(
            "/tools/find",
            json={"Level": "Series", "Query": {"StudyInstanceUID": study_uid, "Modality": modality}, "Expand": True},
        ).json()
        identifiers = [instance for series in found for instance in series["Instances"]]
        return [dcmread(BytesIO(self.orthanc.file(identifier))) for identifier in identifiers]

    def reports(self, study_uid: str) -> list[dict[str, Any]]:
        """Find the DiagnosticReports of a study by its DICOM identifier."""
        studies = self.fhir.search("ImagingStudy", identifier=f"urn:dicom:uid|urn:oid:{study_uid}")
        ids = {study["id"] for study in studies}
        reports = self.fhir.search("DiagnosticReport")
        wanted = {f"ImagingStudy/{identifier}" for identifier in ids}
        return [
            report for report in reports if wanted & {study["reference"] for study in report.get("imagingStudy", [])}
        ]


@dataclass(frozen=True)
class SharedServers:
    """Servers that hospitals have in common; each has a database of its own in them.

    Parameters
    ----------
    mariadb, fhir
        Database and report server.
    redis_url
        Address of a database of Redis that nobody else uses.
    """

    mariadb: MariaDB
    fhir: FHIRServer
    redis_url: str


@contextmanager
def running_hospital(
    folder: Path,
    shared: SharedServers,
    settings: Mapping[str, str] | Callable[[OrthancServer], Mapping[str, str]],
) -> Iterator[Hospital]:
    """Run a hospital until the block ends.

    Parameters
    ----------
    folder
        For data and logs.
    shared
        The servers that run already.
    settings
        Further settings of the node, or what gives them for an archive.
    """
    with ExitStack() as stack:
        node_port = free_port()
        orthanc = stack.enter_context(
            running_orthanc(folder / "orthanc", OrthancOptions({"NEURONOVA": node_port}, routing=True))
        )
        servers = {
            "NODE_DATABASE_URL": shared.mariadb.new_database().render_as_string(hide_password=False),
            "NODE_REDIS_URL": shared.redis_url,
            "NODE_ARCHIVE": f"ORTHANC@127.0.0.1:{orthanc.dicom_port}",
            "NODE_ARCHIVE_REST_URL": orthanc.url,
            "NODE_REPORT_URL": shared.fhir.base_url,
            "NODE_DICOM_PORT": str(node_port),
            **(settings(orthanc) if callable(settings) else settings),
        }
        (folder / "node").mkdir()
        node = Node(folder / "node", servers)
        node.dicom_port = node_port
        stack.callback(node.stop)
        node.command("migrate")
        node.command("users", "create", USER, "--role", "radiologist", "--password-stdin", stdin=f"{PASSWORD}\n")
        node.start()
        (folder / "gateway").mkdir()
        gateway = start_gateway(folder / "gateway", f"127.0.0.1:{node.api_port}")
        stack.callback(gateway.stop)
        client = stack.enter_context(httpx.Client(base_url=gateway.url, timeout=30))
        login = client.post("/api/auth/login", json={"username": USER, "password": PASSWORD})
        assert login.status_code == httpx.codes.OK, login.text
        client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        yield Hospital(orthanc, shared.fhir, node, gateway, client)


@pytest.fixture(scope="session")
def hospital(
    tmp_path_factory: pytest.TempPathFactory,
    mariadb_server: MariaDB,
    redis_server: RedisServer,
    fhir_server: FHIRServer,
) -> Iterator[Hospital]:
    """Give the whole hospital, running; MariaDB, Redis and HAPI FHIR are those of the test run."""
    redis_server.client().flushall()
    shared = SharedServers(mariadb_server, fhir_server, redis_server.url)
    with running_hospital(tmp_path_factory.mktemp("hospital"), shared, {}) as running:
        yield running
