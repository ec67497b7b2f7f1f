"""A model's whole life over HTTP, on a running node: uploaded, proved by a real worker, activated, recalled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.embedded_node import Embedded, running_embedded, versions
from tests.support.free_port import free_port
from tests.support.package_folders import Package, as_tar, as_zip, write_package
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

ID = "bright_tissue"
FIRST = f"/api/models/{ID}/1.0.0"
REASON = "it mixes up left and right"


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    """Run an embedded node."""
    with running_embedded(tmp_path, "admin") as node:
        yield node


@pytest.fixture
def without_ris(tmp_path: Path) -> Iterator[Embedded]:
    """Run an embedded node whose receiver of messages is away."""
    with running_embedded(tmp_path, "admin", NODE_HL7=f"127.0.0.1:{free_port()}") as node:
        yield node


def upload(node: Embedded, archive: Path) -> httpx.Response:
    """Send a package, piece by piece, without saying how large it is."""

    def pieces() -> Iterator[bytes]:
        content = archive.read_bytes()
        yield from (content[at : at + 1000] for at in range(0, len(content), 1000))

    return node.client.post("/api/models", content=pieces(), headers={"Content-Type": "application/octet-stream"})


def looked_over(node: Embedded, path: str) -> dict[str, Any]:
    """Wait until a worker has looked a version over, and give what it found."""
    wait_until(lambda: node.get(f"{path}/verification")["state"] in {"passed", "failed"}, 60, "a verification")
    found: dict[str, Any] = node.get(f"{path}/verification")
    return found


def test_a_model_lives_its_life_over_http(embedded: Embedded, tmp_path: Path) -> None:
    """Nothing runs that has not proved itself on a worker of this node; a recall withdraws what was published."""
    client = embedded.client
    package = write_package(tmp_path / "first", Package("1.0.0", golden=True))
    assert upload(embedded, as_zip(package, tmp_path / "first.zip")).status_code == 201
    found = looked_over(embedded, FIRST)
    assert (found["state"], found["provider"], found["counts"]) == ("passed", "CPUExecutionProvider", True)
    assert versions(embedded.send()) == {}

    assert client.post(f"{FIRST}/activate").json()["after"] == "active"
    published = embedded.send()
    assert versions(published) == {"1.0.0": ("COMPLETED", False)}

    wrong = write_package(tmp_path / "second", Package("1.1.0", threshold=0.6, golden=True))
    golden = wrong / "golden" / "golden.json"
    golden.write_text(json.dumps(_changed(json.loads(golden.read_text()))))
    assert upload(embedded, as_tar(wrong, tmp_path / "second.tar.gz")).status_code == 201
    second = f"/api/models/{ID}/1.1.0"
    faults = looked_over(embedded, second)["faults"]
    assert {fault["part"] for fault in faults} == {"golden numbers"}
    for action in ("activate", "shadow"):
        refused = client.post(f"{second}/{action}")
        assert (refused.status_code, refused.json()["code"]) == (409, "model.deployment_refused")

    recalled = client.post(f"{FIRST}/recall", json={"reason": REASON})
    assert (recalled.status_code, recalled.json()["recalled"][0]["withdrawn"]) == (202, 1)
    wait_until(lambda: len(embedded.get("/api/jobs?state=WITHDRAWN")["items"]) == 1, 60, "the withdrawal")
    assert versions(embedded.send()) == {}
    decisions = embedded.get(f"/api/models/{ID}")["decisions"]
    assert [(one["deployment"], one["actor"]) for one in decisions] == [
        ("active", decisions[0]["actor"]),
        ("recalled", decisions[0]["actor"]),
    ]
    assert not any(value in embedded.node.logs() for value in ("Phantom^Test", "TEST-1", published["study_uid"]))


def test_a_running_node_shows_how_it_is(without_ris: Embedded) -> None:
    """Its workers report themselves and what they found; a peer that is away is said so."""
    wait_until(lambda: len(without_ris.get("/api/node/workers")["workers"]) == 3, 60, "three workers")
    workers = without_ris.get("/api/node/workers")["workers"]
    assert [worker["kind"] for worker in workers] == ["delivery", "inference", "receiver"]
    assert all(worker["alive"] for worker in workers)
    (device,) = without_ris.get("/api/node/devices")["devices"]
    assert (device["provider"], device["cpu_count"] > 0) == ("CPUExecutionProvider", True)
    wait_until(lambda: without_ris.get("/api/node/peers")["peers"], 60, "a look at the peers")
    (peer,) = without_ris.get("/api/node/peers")["peers"]
    assert (peer["name"], peer["reachable"], peer["error"]["code"]) == (
        "HL7 receiver",
        False,
        "report.hl7_unavailable",
    )
    without_ris.client.post("/api/node/peers/probe")
    wait_until(
        lambda: without_ris.get("/api/node/peers")["peers"][0]["probed_at"] > peer["probed_at"], 30, "a new look"
    )
    wait_until(lambda: without_ris.get("/api/node/disk")["counted_at"], 60, "a count")
    assert without_ris.get("/api/node/disk")["full_at"] is None
    assert [queue["waiting"] for queue in without_ris.get("/api/node/queues")["queues"]] == [0, 0]
    settings = {one["name"]: one for one in without_ris.get("/api/settings")["settings"]}
    assert (settings["hl7"]["source"], settings["ae_title"]["source"]) == ("environment", "default")
    assert (settings["jwt_secret"]["value"], settings["jwt_secret"]["secret"]) == ("********", True)


def _changed(golden: Any) -> Any:
    """Give golden numbers that no graph computes."""
    if isinstance(golden, dict):
        return {name: value if name in {"input", "file"} else _changed(value) for name, value in golden.items()}
    if isinstance(golden, list):
        return [_changed(value) for value in golden]
    return golden + 1000.0 if isinstance(golden, float) else golden
