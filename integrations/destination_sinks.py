"""From a destination of the settings to the adapter that delivers to it."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from inference.domain.identifiers import AETitle
from inference.errors import ConfigurationError
from inference.ports import ArtifactSink, UIDSource
from integrations.destinations import Confirmed, Destination, DIMSEAddress, FolderAddress, STOWAddress
from integrations.dicomweb.client import connect
from integrations.dicomweb.stow import STOWSink
from integrations.orthanc.commitment import StorageCommitment
from integrations.orthanc.commitment_reports import CommitmentReports
from integrations.orthanc.folder import FolderArchive
from integrations.orthanc.peer import Peer
from integrations.orthanc.rest import OrthancREST, RESTReadBack
from integrations.orthanc.store_scu import Confirmation, FindReadBack, StoreSCUSink


@dataclass(frozen=True, slots=True)
class SinkSurroundings:
    """What the adapters of all destinations have in common.

    Parameters
    ----------
    calling_ae_title
        Our title, where a destination names no other.
    uid_source
        Gives transaction identifiers.
    reports
        Where archives report on storage commitment: one for the whole process. None where no port is set.
    http_timeout_s
        Longest wait for an HTTP server.
    """

    calling_ae_title: AETitle
    uid_source: UIDSource
    reports: CommitmentReports | None = None
    http_timeout_s: float = 60.0


def build_sink(destination: Destination, surroundings: SinkSurroundings) -> ArtifactSink:
    """Give the adapter for a destination; nobody is called yet.

    Parameters
    ----------
    destination
        Where results go.
    surroundings
        What all destinations have in common.

    Raises
    ------
    ConfigurationError
        If storage commitment is wanted and no port is set for its reports.
    """
    match destination.address:
        case FolderAddress(root):
            return FolderArchive(root, destination.compression)
        case STOWAddress(url):
            client = connect(url, destination.login, surroundings.http_timeout_s)
            return STOWSink(client, destination.compression)
        case DIMSEAddress(peer, calling):
            calling_ae_title = calling or surroundings.calling_ae_title
            archive = Peer(peer.ae_title, peer.host, peer.port, calling_ae_title)
            confirmation = _confirmation(destination, archive, surroundings)
            return StoreSCUSink(archive, confirmation, destination.compression)


def _confirmation(destination: Destination, archive: Peer, surroundings: SinkSurroundings) -> Confirmation:
    address = destination.address
    if destination.confirmed is Confirmed.COMMITMENT:
        if surroundings.reports is None:
            raise ConfigurationError(
                f"destination {destination.name}: storage commitment needs a port for the archive's reports"
            )
        return StorageCommitment(archive, surroundings.reports, surroundings.uid_source)
    if destination.confirmed is Confirmed.READ_BACK and isinstance(address, DIMSEAddress) and address.rest_url:
        login = destination.login
        auth = (login.user, login.password) if login is not None else None
        client = httpx.Client(auth=auth, timeout=surroundings.http_timeout_s)
        return RESTReadBack(OrthancREST(address.rest_url, client))
    return FindReadBack(archive)
