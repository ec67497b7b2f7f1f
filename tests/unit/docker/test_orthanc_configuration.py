"""What the archive of compose.yaml is configured to do."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.repository import REPOSITORY

FOLDER = REPOSITORY / "docker" / "orthanc"


@pytest.fixture(scope="module")
def configuration() -> dict[str, object]:
    """Give orthanc.json."""
    loaded: dict[str, object] = json.loads((FOLDER / "orthanc.json").read_text())
    return loaded


def test_the_routing_hook_finds_the_node(configuration: dict) -> None:
    """The modality that route.lua sends to is configured, and is the receiver of compose.yaml."""
    destination = re.search(r"DESTINATION = '(\w+)'", (FOLDER / "route.lua").read_text())
    assert destination is not None
    node = configuration["DicomModalities"][destination.group(1)]
    assert (node["AET"], node["Host"], node["Port"]) == ("NEURONOVA", "receiver", 11112)
    assert configuration["LuaScripts"] == ["/etc/orthanc/route.lua"]


def test_results_can_be_stored_found_and_committed(configuration: dict) -> None:
    """The node asks how many instances the archive holds, and stores and reads back its results."""
    node = configuration["DicomModalities"]["NEURONOVA"]
    assert node["AllowFind"]
    assert node["AllowStore"]
    assert node["AllowStorageCommitment"]


def test_the_archive_keeps_what_it_acknowledged_and_wants_a_login(configuration: dict) -> None:
    """Synced to disk, never overwritten, and no anonymous REST."""
    assert configuration["SyncStorageArea"] is True
    assert configuration["OverwriteInstances"] is False
    assert configuration["AuthenticationEnabled"] is True
    assert "RegisteredUsers" not in configuration
