"""The servers that the settings name, as what can be asked whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit, urlunsplit

from inference.domain.identifiers import AETitle
from inference.domain.node_report import PeerKind
from integrations.configured_destinations import configured_destinations
from integrations.destinations import Destination, DIMSEAddress, STOWAddress
from integrations.http_login import Login
from integrations.settings import ArchivePeer, Settings


@dataclass(frozen=True, slots=True)
class DICOMTarget:
    """An application entity, and who we are to it."""

    peer: ArchivePeer
    calling: AETitle

    def __str__(self) -> str:
        """Give the address as the settings write it."""
        return f"{self.peer.ae_title}@{self.peer.host}:{self.peer.port}"


@dataclass(frozen=True, slots=True)
class HTTPTarget:
    """The base address of a server, and the login where it asks for one."""

    url: str
    login: Login | None = None

    def __str__(self) -> str:
        """Give the address without what somebody may have written before the host."""
        return without_login(self.url)


@dataclass(frozen=True, slots=True)
class TCPTarget:
    """A host and port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Give the address as the settings write it."""
        return f"{self.host}:{self.port}"


Target: TypeAlias = DICOMTarget | HTTPTarget | TCPTarget


@dataclass(frozen=True, slots=True)
class ConfiguredPeer:
    """A server that the node talks to.

    Parameters
    ----------
    name
        Unique; a destination's own name, for it stands in metrics and logs too.
    kind
        How it is asked.
    target
        Where it is.
    """

    name: str
    kind: PeerKind
    target: Target


def configured_peers(settings: Settings) -> tuple[ConfiguredPeer, ...]:
    """List the servers in the order of the settings: archives, report servers; a folder is none.

    Parameters
    ----------
    settings
        The node's.

    Raises
    ------
    ConfigurationError
        If the file of destinations is not valid.
    """
    return tuple(_peers(settings))


def without_login(url: str) -> str:
    """Give an address without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _peers(settings: Settings) -> Iterator[ConfiguredPeer]:
    for destination in configured_destinations(settings):
        yield from _archive(destination, settings.ae_title)
    if settings.report_url is not None:
        yield ConfiguredPeer("report server", PeerKind.FHIR, HTTPTarget(settings.report_url))
    if settings.hl7 is not None:
        yield ConfiguredPeer("HL7 receiver", PeerKind.HL7, TCPTarget(*settings.hl7))


def _archive(destination: Destination, ours: AETitle) -> Iterator[ConfiguredPeer]:
    match destination.address:
        case DIMSEAddress(peer, calling, rest_url):
            yield ConfiguredPeer(destination.name, PeerKind.DICOM, DICOMTarget(peer, calling or ours))
            if rest_url is not None:
                target = HTTPTarget(rest_url, destination.login)
                yield ConfiguredPeer(f"{destination.name} (REST)", PeerKind.ORTHANC, target)
        case STOWAddress(url):
            yield ConfiguredPeer(destination.name, PeerKind.DICOMWEB, HTTPTarget(url, destination.login))
