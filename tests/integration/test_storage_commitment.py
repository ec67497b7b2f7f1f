"""Storage commitment that we give: a real Orthanc and a pynetdicom sender ask the receiver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydicom.uid import CTImageStorage

from dicom_node.receiver import ReceiverOptions
from inference.domain.artifact import DicomArtifact
from integrations.orthanc.peer import Peer
from integrations.orthanc.store_scu import StoreSCUSink
from tests.support.artifacts import artifact
from tests.support.free_port import free_port
from tests.support.orthanc_server import AE_TITLE, OrthancOptions, OrthancServer, running_orthanc
from tests.support.receiving import OUR_TITLE, Receiving, receiving
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration


@dataclass
class Sites:
    """An Orthanc that sends to our receiver, and knows it as a modality."""

    orthanc: OrthancServer
    node: Receiving

    def ask(self, objects: Sequence[dict[str, str]]) -> dict[str, Any]:
        """Have Orthanc ask for commitment, and give what it has been told in the end."""
        body = {"DicomInstances": objects, "Timeout": 10}
        asked = self.orthanc.client.post(f"/modalities/{OUR_TITLE}/storage-commitment", json=body)
        address = "/" + asked.raise_for_status().json()["Path"].lstrip("/")

        def status() -> dict[str, Any]:
            answer: dict[str, Any] = self.orthanc.client.get(address).json()
            return answer

        wait_until(lambda: status()["Status"] != "Pending", 20, "the report on storage commitment")
        return status()


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Run an Orthanc and a receiver that know each other's addresses."""
    folder, port = tmp_path_factory.mktemp("commitment"), free_port()
    with running_orthanc(folder / "orthanc", OrthancOptions({str(OUR_TITLE): port})) as orthanc:
        sender = Peer(AE_TITLE, "127.0.0.1", orthanc.dicom_port, OUR_TITLE, timeout_s=10)
        options = ReceiverOptions(OUR_TITLE, port=port, network_timeout_s=10, commitment_peers=(sender,))
        with receiving(folder / "spool", options) as node:
            yield Sites(orthanc, node)


def reference(one: DicomArtifact, **changes: str) -> dict[str, str]:
    """Name an object to Orthanc."""
    identity = one.identity
    named = {"SOPClassUID": str(identity.sop_class_uid), "SOPInstanceUID": str(identity.sop_instance_uid)}
    return {**named, **changes}


def send(sites: Sites, objects: Sequence[DicomArtifact]) -> None:
    """Bring objects into Orthanc, and have it send them to the receiver."""
    StoreSCUSink(sites.orthanc.peer("MODALITY")).deliver(objects)
    wanted = {"SeriesInstanceUID": str(objects[0].identity.series_instance_uid)}
    found = sites.orthanc.client.post("/tools/find", json={"Level": "Series", "Query": wanted})
    sent = sites.orthanc.client.post(f"/modalities/{OUR_TITLE}/store", json=found.json())
    assert sent.json()["FailedInstancesCount"] == 0


def test_orthanc_learns_that_everything_is_committed(sites: Sites) -> None:
    """What it has sent is there."""
    send(sites, objects := [artifact(index, seed=21) for index in range(3)])
    told = sites.ask([reference(one) for one in objects])
    assert told["Status"] == "Success"
    assert {entry["SOPInstanceUID"] for entry in told["Success"]} == {
        str(one.identity.sop_instance_uid) for one in objects
    }
    assert not told["Failures"]


def test_orthanc_learns_what_is_missing_and_why(sites: Sites) -> None:
    """What never came, and what came under another SOP class, each with its reason."""
    send(sites, objects := [artifact(index, seed=22) for index in range(2)])
    never = artifact(5, seed=22)
    told = sites.ask([reference(objects[0]), reference(objects[1], SOPClassUID=CTImageStorage), reference(never)])
    assert told["Status"] == "Failure"
    assert [entry["SOPInstanceUID"] for entry in told["Success"]] == [str(objects[0].identity.sop_instance_uid)]
    assert {entry["SOPInstanceUID"]: int(entry["FailureReason"]) for entry in told["Failures"]} == {
        str(objects[1].identity.sop_instance_uid): 0x0119,
        str(never.identity.sop_instance_uid): 0x0112,
    }


def test_orthanc_may_ask_again(sites: Sites) -> None:
    """A sender that asks before it sends is told the truth both times."""
    one = artifact(0, seed=23)
    assert sites.ask([reference(one)])["Status"] == "Failure"
    send(sites, [one])
    assert sites.ask([reference(one)])["Status"] == "Success"
