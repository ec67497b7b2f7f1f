"""A real Orthanc in a temporary folder, on free ports of the loopback interface."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
from pydicom import dcmread
from pydicom.dataset import FileDataset

from inference.domain.identifiers import AETitle
from integrations.orthanc.peer import Peer
from tests.support.free_port import free_port
from tests.support.server_process import ServerProcess, required_command

PLUGINS: Final = Path("/usr/share/orthanc/plugins")
ROUTE_SCRIPT: Final = Path(__file__).resolve().parents[2] / "docker" / "orthanc" / "route.lua"
AE_TITLE: Final = AETitle("ORTHANC")


@dataclass
class OrthancOptions:
    """How the server is set up.

    Parameters
    ----------
    modalities
        AE title → port on the loopback interface; the title is also the modality's name.
    routing
        Whether ``docker/orthanc/route.lua`` sends what arrives to the modality ``NEURONOVA``.
    """

    modalities: Mapping[str, int]
    routing: bool = False


class OrthancServer:
    """A running Orthanc.

    Parameters
    ----------
    folder
        Its configuration, storage and log.
    options
        How it is set up.
    """

    def __init__(self, folder: Path, options: OrthancOptions) -> None:
        self.folder = folder
        self.http_port = free_port()
        self.dicom_port = free_port()
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self._options = options
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """Address of the REST API."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicom_web_url(self) -> str:
        """Address of DICOMweb."""
        return f"{self.url}/dicom-web"

    def peer(self, calling_ae_title: str = "NEURONOVA", timeout_s: float = 10.0) -> Peer:
        """Give this server as a DICOM peer of ours."""
        return Peer(AE_TITLE, "127.0.0.1", self.dicom_port, AETitle(calling_ae_title), timeout_s)

    def start(self) -> None:
        """Start, and return when REST and DICOM answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration()), encoding="utf-8")
        self._process = ServerProcess([required_command("Orthanc"), str(configuration)], self.folder / "orthanc.log")
        self._process.wait_ready(self._answers, "Orthanc", 30)

    def stop(self) -> None:
        """Stop the process that was started; ``start`` brings it back with what it stored."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def statistics(self) -> dict[str, Any]:
        """Give Orthanc's counts."""
        result: dict[str, Any] = self.client.get("/statistics").json()
        return result

    def instances(self) -> list[FileDataset]:
        """Read every stored instance."""
        return [dcmread(BytesIO(self.file(orthanc_id))) for orthanc_id in self.client.get("/instances").json()]

    def file(self, orthanc_id: str) -> bytes:
        """Give a stored Part 10 file."""
        return self.client.get(f"/instances/{orthanc_id}/file").content

    def _answers(self) -> bool:
        try:
            return self.client.get("/system").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _configuration(self) -> dict[str, Any]:
        return {
            "Name": "test archive",
            "StorageDirectory": str(self.folder / "db"),
            "IndexDirectory": str(self.folder / "db"),
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "HttpPort": self.http_port,
            "DicomAet": str(AE_TITLE),
            "DicomPort": self.dicom_port,
            "DicomAssociationCloseDelay": 1,
            "DicomScuTimeout": 10,
            "DicomModalities": {
                title: {"AET": title, "Host": "127.0.0.1", "Port": port}
                for title, port in self._options.modalities.items()
            },
            "LuaScripts": [str(ROUTE_SCRIPT)] if self._options.routing else [],
            "Plugins": [str(path) for path in (PLUGINS / "libOrthancDicomWeb.so",) if path.exists()],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "ConcurrentJobs": 2,
            "StableAge": 60,
            "DefaultEncoding": "Utf8",
        }


@contextmanager
def running_orthanc(folder: Path, options: OrthancOptions) -> Iterator[OrthancServer]:
    """Run an Orthanc for the length of a ``with`` block."""
    server = OrthancServer(folder, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.client.close()
