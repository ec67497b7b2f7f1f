"""Every server that the settings name is a peer, and no password is part of its address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference.domain.node_report import PeerKind
from integrations.configured_peers import configured_peers
from integrations.settings import Settings

SECRET = "s" * 40


def told(folder: Path, **values: Any) -> list[tuple[str, PeerKind, str]]:
    """Give name, kind and address of each peer."""
    settings = Settings(data_dir=folder, queue_secret=SECRET, jwt_secret=SECRET, **values)
    return [(peer.name, peer.kind, str(peer.target)) for peer in configured_peers(settings)]


def test_an_embedded_node_has_none(tmp_path: Path) -> None:
    """Its archive is a folder."""
    assert told(tmp_path) == []


def test_each_server_is_one(tmp_path: Path) -> None:
    """Archive, its REST address, report server, HL7 receiver."""
    values = {
        "archive": "ORTHANC@127.0.0.1:4242",
        "archive_rest_url": "http://node:hidden@127.0.0.1:8042",
        "archive_rest_user": "node",
        "archive_rest_password": "hidden",
        "report_url": "http://127.0.0.1:8080/fhir",
        "hl7": "127.0.0.1:2575",
    }

    assert told(tmp_path, **values) == [
        ("archive", PeerKind.DICOM, "ORTHANC@127.0.0.1:4242"),
        ("archive (REST)", PeerKind.ORTHANC, "http://127.0.0.1:8042"),
        ("report server", PeerKind.FHIR, "http://127.0.0.1:8080/fhir"),
        ("HL7 receiver", PeerKind.HL7, "127.0.0.1:2575"),
    ]


def test_destinations_of_a_file_are_peers_by_their_names(tmp_path: Path) -> None:
    """Also those that take STOW-RS; a folder is none."""
    file = tmp_path / "destinations.toml"
    file.write_text(
        '[[destination]]\nname = "pacs"\ndicom = "PACS@127.0.0.1:104"\n'
        '[[destination]]\nname = "research"\nstow = "http://127.0.0.1:8042/dicom-web"\n'
        '[[destination]]\nname = "copy"\nfolder = "/tmp/copy"\n'
    )

    assert told(tmp_path, destinations=file) == [
        ("pacs", PeerKind.DICOM, "PACS@127.0.0.1:104"),
        ("research", PeerKind.DICOMWEB, "http://127.0.0.1:8042/dicom-web"),
    ]
