"""``dicom-node doctor``: everything the node needs, checked once, in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from sqlalchemy import text

from dicom_node.peer_probes import echo, search, takes_connections
from inference.domain.job import ModelReference, QueueName
from inference.errors import ConfigurationError, ModelContractViolated, NodeError, PeerUnavailable
from inference.ports import ModelRunner
from integrations.configured_destinations import configured_destinations
from integrations.destinations import DIMSEAddress, STOWAddress
from integrations.persistence.engine import make_engine
from integrations.settings import Settings
from models.inspection import verify_package


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
        yield "HL7 receiver", lambda: takes_connections(host, port)


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
                yield name, partial(echo, peer, calling or settings.ae_title)
            case STOWAddress(url):
                yield name, partial(search, url, destination.login)


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


def _fhir(url: str) -> str:
    answer = httpx.get(f"{url}/Patient", params={"_summary": "count"}, timeout=10)
    if answer.status_code != httpx.codes.OK:
        raise PeerUnavailable(f"HTTP {answer.status_code}")
    return "answers a search"
