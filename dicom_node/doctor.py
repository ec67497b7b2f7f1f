"""``dicom-node doctor``: everything the node needs, checked once, in words."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from pynetdicom import AE
from sqlalchemy import text

from inference.domain.identifiers import AETitle
from inference.domain.job import ModelReference, QueueName
from inference.errors import ConfigurationError, ModelContractViolated, NodeError, PeerUnavailable
from inference.ports import ModelRunner
from integrations.configured_destinations import configured_destinations
from integrations.destinations import DIMSEAddress, STOWAddress
from integrations.http_login import Login
from integrations.persistence.engine import make_engine
from integrations.settings import ArchivePeer, Settings
from models.inspection import verify_package

VERIFICATION = "1.2.840.10008.1.1"
"""Verification SOP Class (PS3.4 annex A)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Parameters
    ----------
    name
        What.
    good
        Whether the node can work with it.
    detail
        What was found.
    """

    name: str
    good: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Check every part; a part that fails does not stop the others.

    Parameters
    ----------
    settings
        The node's settings, already valid.
    """
    return [_check(name, check) for name, check in _checks(settings)]


def _checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "database", lambda: _database(settings)
    yield "queue", lambda: _queue(settings)
    yield "models", lambda: _models(settings)
    yield "disk", lambda: _disk(settings)
    yield from _destination_checks(settings)
    if settings.report_url is not None:
        url = settings.report_url
        yield "report server", lambda: _fhir(url)
    if settings.hl7 is not None:
        host, port = settings.hl7
        yield "HL7 receiver", lambda: _listens(host, port)


def _destination_checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    """List the archives: is each there, as far as can be asked without leaving anything in it."""
    try:
        destinations = configured_destinations(settings)
    except ConfigurationError as error:
        message = error.message
        yield "destinations", lambda: _raise(message)
        return
    for destination in destinations:
        name = "archive" if destination.name == "archive" else f"destination {destination.name}"
        match destination.address:
            case DIMSEAddress(peer, calling):
                yield name, partial(_echo, peer, calling or settings.ae_title)
            case STOWAddress(url):
                yield name, partial(_dicom_web, url, destination.login)


def _raise(message: str) -> str:
    raise ConfigurationError(message)


def _check(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except NodeError as error:
        return Finding(name, False, f"{error.code}: {error.message}")
    except Exception as error:  # noqa: BLE001 - the doctor reports whatever is wrong
        return Finding(name, False, type(error).__name__)


def _database(settings: Settings) -> str:
    engine = make_engine(settings)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    return f"{engine.dialect.name} answers"


def _queue(settings: Settings) -> str:
    from integrations.taskqueue import make_job_queue

    queue = make_job_queue(settings, None)
    return ", ".join(f"{name.value}: {queue.depth(name)} waiting" for name in QueueName)


def examine_models(settings: Settings) -> list[Finding]:
    """Check every model that runs: manifest, model card, weights, graph, and the golden numbers on this machine.

    Parameters
    ----------
    settings
        The node's settings.
    """
    from dicom_node.bootstrap import build_catalogue, build_runner

    catalogue, runner = build_catalogue(settings), build_runner(settings)
    usable = [_package(spec.reference, catalogue.folder(spec.reference), runner) for spec in catalogue.active()]
    return usable + [Finding(package.folder.name, False, package.reason) for package in catalogue.broken]


def _package(reference: ModelReference, folder: Path, runner: ModelRunner) -> Finding:
    faults = verify_package(folder, runner)
    told = "; ".join(f"{fault.part}: {fault.message}" for fault in faults)
    return Finding(f"{reference.model_id} {reference.version}", not faults, told or "computes what its maker saw")


def _models(settings: Settings) -> str:
    found = examine_models(settings)
    faults = [f"{finding.name}: {finding.detail}" for finding in found if not finding.good]
    if faults:
        raise ModelContractViolated("; ".join(faults))
    return ", ".join(finding.name for finding in found) or "none installed"


def _disk(settings: Settings) -> str:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(settings.data_dir).free // 2**20
    if free_mb < settings.spool_reserve_mb:
        raise PeerUnavailable(f"{free_mb} MiB free, {settings.spool_reserve_mb} MiB are to be kept free")
    return f"{free_mb} MiB free"


def _echo(peer: ArchivePeer, calling: AETitle) -> str:
    ae = AE(calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
    ae.connection_timeout = 10
    ae.add_requested_context(VERIFICATION)
    association = ae.associate(peer.host, peer.port, ae_title=peer.ae_title)
    if not association.is_established:
        raise PeerUnavailable(f"{peer.ae_title} at {peer.host}:{peer.port} takes no association from {calling}")
    status = association.send_c_echo()
    association.release()
    if status.get("Status") != 0x0000:
        raise PeerUnavailable(f"{peer.ae_title} did not answer C-ECHO with success")
    return f"{peer.ae_title} answers C-ECHO"


def _dicom_web(url: str, login: Login | None) -> str:
    """Ask for one study: whether it may be stored to is known only when something is stored."""
    auth = (login.user, login.password) if login is not None else None
    answer = httpx.get(f"{url}/studies", params={"limit": 1}, auth=auth, timeout=10)
    if answer.status_code not in (httpx.codes.OK, httpx.codes.NO_CONTENT):
        raise PeerUnavailable(f"HTTP {answer.status_code}")
    return "answers a search"


def _listens(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=10):
        return "takes connections"


def _fhir(url: str) -> str:
    answer = httpx.get(f"{url}/Patient", params={"_summary": "count"}, timeout=10)
    if answer.status_code != httpx.codes.OK:
        raise PeerUnavailable(f"HTTP {answer.status_code}")
    return "answers a search"
