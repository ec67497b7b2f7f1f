"""Which servers stand behind the gateway follows from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from control_api.gateway.wiring import build_gateway
from inference.errors import ConfigurationError
from integrations.local_archive.server import FolderServer
from integrations.settings import Settings, load_settings
from integrations.upstream.client_assertion import TokenServer
from integrations.upstream.http_server import HTTPServer
from tests.support.fakes import CountingUIDSource, FixedClock
from tests.support.upstream import FakeTrail

SECRETS = {"NODE_QUEUE_SECRET": "q" * 32, "NODE_JWT_SECRET": "j" * 32}
KEY = str(RSAKey.generate_key(2048, private=True).as_pem(private=True).decode())


def wired(tmp_path: Path, **variables: str) -> tuple[Any, Settings]:
    """Wire the gateway of an environment."""
    settings = load_settings({"NODE_DATA_DIR": str(tmp_path), **SECRETS, **variables})
    return build_gateway(settings, FixedClock(), CountingUIDSource(), FakeTrail()), settings


def test_the_embedded_node_has_its_own_folders(tmp_path: Path) -> None:
    """And nothing else; its viewer's cookie goes by plain http."""
    gateway, _ = wired(tmp_path)
    assert isinstance(gateway.archive, FolderServer)
    assert (gateway.reports, gateway.emr_fhir, gateway.emr_api, gateway.emr_keys) == (None, None, None, {"keys": []})
    assert (gateway.viewer.secure, gateway.viewer.folder, gateway.public_url) == (False, None, None)


def test_servers_are_reached_where_the_guide_says(tmp_path: Path) -> None:
    """By the names of its settings."""
    gateway, _ = wired(
        tmp_path, DB_HOST="db", ORTHANC_API_URL="http://orthanc:8042/", HAPI_FHIR_URL="http://hapi:8080/fhir"
    )
    assert isinstance(gateway.archive, HTTPServer)
    assert gateway.archive.base_url == "http://orthanc:8042/dicom-web"
    assert gateway.reports.base_url == "http://hapi:8080/fhir"
    assert gateway.viewer.secure is True


@pytest.mark.parametrize("variables", [{"NODE_ARCHIVE": "PACS@10.0.0.5:104"}, {"NODE_DESTINATIONS": "/x.toml"}])
def test_an_archive_without_dicomweb_is_none(tmp_path: Path, variables: dict[str, str]) -> None:
    """What the node's folders hold is then only a part of what is in the archive."""
    assert wired(tmp_path, **variables)[0].archive is None


def test_the_medical_record_needs_address_client_and_key(tmp_path: Path) -> None:
    """The guide's address alone is not enough; a key alone is published, so that the node can be registered."""
    address = {"OPENEMR_BASE_URL": "https://emr.example"}
    assert wired(tmp_path, **address)[0].emr_fhir is None
    keyed, _ = wired(tmp_path, NODE_EMR_PRIVATE_KEY=KEY)
    assert (keyed.emr_fhir, len(keyed.emr_keys["keys"])) == (None, 1)
    full, _ = wired(tmp_path, **address, NODE_EMR_PRIVATE_KEY=KEY, NODE_EMR_CLIENT_ID="node", NODE_EMR_SITE="two")
    assert isinstance(full.emr_fhir, TokenServer)
    assert full.emr_fhir.base_url == "https://emr.example/apis/two/fhir"
    assert full.emr_api.base_url == "https://emr.example/apis/two/api"


def test_a_key_that_is_none_stops_the_start(tmp_path: Path) -> None:
    """Before the first request, and without being quoted."""
    with pytest.raises(ConfigurationError, match="no RSA key"):
        wired(tmp_path, NODE_EMR_PRIVATE_KEY="secret text")


@pytest.mark.parametrize(
    "variables",
    [
        {"NODE_VIEWER_MINUTES": "0"},
        {"NODE_VIEWER_MINUTES": "481"},
        {"NODE_PUBLIC_URL": "pacs.example"},
        {"NODE_EMR_SITE": "../x"},
    ],
)
def test_what_is_no_setting_is_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    """At the start."""
    with pytest.raises(ConfigurationError):
        wired(tmp_path, **variables)


def test_the_viewer_is_as_the_settings_say(tmp_path: Path) -> None:
    """Life, cookie, folder and address."""
    gateway, _ = wired(
        tmp_path,
        NODE_VIEWER_MINUTES="5",
        NODE_COOKIE_SECURE="true",
        NODE_VIEWER_DIR=str(tmp_path),
        NODE_PUBLIC_URL="https://pacs.example/",
    )
    assert (gateway.viewer.minutes, gateway.viewer.secure, gateway.viewer.folder) == (5, True, tmp_path)
    assert gateway.public_url == "https://pacs.example"
