"""Models over HTTP: shown to everybody, changed by administrators, and by the same rules as by command."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from inference.domain.deployment import DeploymentEvent
from inference.domain.job import About, JobState, ModelReference
from inference.domain.model_spec import Deployment
from inference.domain.verification import Verification, VerificationFault
from inference.errors import QueueUnavailable
from integrations.persistence.deployments import SQLDeploymentLog
from models.catalogue import FolderCatalogue
from tests.support.control_api import BRAIN, UPLOAD_BYTES, ControlAPI
from tests.support.fakes import NOON, FixedClock
from tests.support.package_folders import Package, as_tar, as_zip, reference_of, write_package

ID = "bright_tissue"
FIRST = f"/api/models/{ID}/1.0.0"
SECOND = f"/api/models/{ID}/1.1.0"
REASON = "it mixes up left and right"
FAULT = VerificationFault("golden numbers", "they differ")


@dataclass(frozen=True)
class Usage:
    """A disk."""

    free: int


class Node:
    """The API with packages in a real store."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "models"
        log = SQLDeploymentLog(engine, FixedClock())
        self.api = ControlAPI(engine, folder, catalogue=FolderCatalogue([], self.store, log))

    def package(self, version: str = "1.0.0", **changes: Any) -> Path:
        """Write a package."""
        return write_package(self.folder / f"made-{version}", Package(version, golden=True, **changes))

    def send(self, body: Path | bytes, role: str = "admin", **options: Any) -> TestResponse:
        """Upload a file, or some bytes."""
        content = body if isinstance(body, bytes) else body.read_bytes()
        headers = self.api.bearer(role) | options.pop("headers", {})
        options.setdefault("content_type", "application/zip")
        return self.api.client.post("/api/models", data=content, headers=headers, **options)

    def has(self, version: str = "1.0.0", **changes: Any) -> ModelReference:
        """Let a version be in the store."""
        package = self.package(version, **changes)
        answer = self.send(as_zip(package, self.folder / f"{version}.zip"))
        assert answer.status_code == 201, answer.json
        return reference_of(package)

    def looked_over(self, model: ModelReference, *faults: VerificationFault) -> Verification:
        """Let a worker have looked at a version."""
        log: Any = self.api.services.models.verifications
        claimed: Verification = log.claim(log.latest()[model].verification_id, "host:1:abc", 60)
        log.finish(claimed, faults, "CPUExecutionProvider")
        return claimed

    def proven(self, version: str = "1.0.0", **changes: Any) -> ModelReference:
        """Let a version be here that has proved itself."""
        model = self.has(version, **changes)
        self.looked_over(model)
        return model

    def post(self, path: str, body: object = None, role: str = "admin") -> TestResponse:
        """Change something."""
        return self.api.post(path, body, role)

    def states(self) -> dict[str, str]:
        """Give what the node does with each version."""
        return {card["version"]: card["deployment"] for card in self.api.get("/api/models").json["models"]}

    def leftovers(self) -> list[str]:
        """List what lies in the store beside the models."""
        return [path.name for path in self.store.glob(".*")] if self.store.exists() else []


@pytest.fixture
def node(sqlite_engine: Engine, tmp_path: Path) -> Node:
    """Give a node without models."""
    return Node(sqlite_engine, tmp_path)


# --- looking ------------------------------------------------------------------------------------------------------


def test_a_version_is_shown_with_its_card(api: ControlAPI) -> None:
    """Everything a reader needs to judge it by: facts with codes and colours, and the card in its maker's words."""
    document = api.get(f"/api/models/{BRAIN.model_id}/{BRAIN.version}").json

    assert document["card"].startswith("# ")
    assert {picture["name"] for picture in document["pictures"]} == {"adult-a.png", "refused.png"}
    assert document["input"]["orientation"] == "LIA"
    assert document["output"] == "label_map_logits"
    assert document["publication"]["seg"] is True
    assert all(ratio["lowest"] < ratio["highest"] for ratio in document["ratios"] + document["contrasts"])
    assert document["added"] is False
    assert document["verification"] is None
    label = document["labels"][0]
    assert label["type"]["scheme"] == "SCT"
    assert len(label["colour_rgb"]) == 3
    assert "onnx" not in str(document | {"card": ""})


def test_a_picture_of_the_card_is_given(api: ControlAPI) -> None:
    """As PNG, to those who are logged in."""
    (first, _) = api.get(f"/api/models/{BRAIN.model_id}/{BRAIN.version}").json["pictures"]

    answer = api.get(first["href"])

    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert answer.data.startswith(b"\x89PNG")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["manifest.toml", "..%2Fmanifest.toml", "absent.png", "fake.png", "link.png", ".hidden.png"]
)
def test_nothing_but_pictures_is_given(node: Node, name: str) -> None:
    """A package comes from a stranger, and a name from anybody."""
    model = node.has()
    card = node.api.catalogue.folder(model) / "card"
    card.mkdir()
    (card / "fake.png").write_text("<script>")
    (card / "link.png").symlink_to("/etc/hostname")
    (card / ".hidden.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    assert node.api.get(f"{FIRST}/pictures/{name}").status_code == 404
    assert node.api.get(FIRST).json["pictures"] == []


def test_a_model_is_shown_with_what_was_decided_about_it(node: Node) -> None:
    """By whom and when, also about a version that is gone."""
    node.proven()
    gone = DeploymentEvent(NOON, ModelReference(ID, "0.9.0", "e" * 64), Deployment.RECALLED, "somebody", REASON)
    node.api.services.models.decisions.record(gone)
    node.post(f"{FIRST}/activate")

    document = node.api.get(f"/api/models/{ID}").json

    assert [card["version"] for card in document["versions"]] == ["1.0.0"]
    assert [(one["model"]["version"], one["deployment"], one["actor"]) for one in document["decisions"]] == [
        ("0.9.0", "recalled", "somebody"),
        ("1.0.0", "active", "admin"),
    ]
    assert document["decisions"][0]["reason"] == REASON


@pytest.mark.parametrize(
    "path", ["/absent", "/absent/1.0.0", "/absent/1.0.0/verification", "/Not-An-Id", f"/{ID}/one"]
)
def test_what_is_not_here_is_not_found(node: Node, path: str) -> None:
    """Whether it could be here or not."""
    assert node.api.get(f"/api/models{path}").status_code == 404


# --- uploading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [as_zip, as_tar], ids=["zip", "tar.gz"])
def test_a_package_is_taken_and_does_nothing_yet(node: Node, pack: Callable[[Path, Path], Path]) -> None:
    """It is kept under its id and version; a worker is asked to look it over; nobody's name is lost."""
    archive = pack(node.package(), node.folder / ("p.zip" if pack is as_zip else "p.tar.gz"))

    with capture_logs() as logs:
        answer = node.send(archive, content_type="application/octet-stream")

    assert (answer.status_code, answer.headers["Location"]) == (201, FIRST)
    assert (answer.json["deployment"], answer.json["added"]) == ("inactive", True)
    assert answer.json["verification"]["state"] == "requested"
    assert [hint.about for hint in node.api.queue.hints] == [About.VERIFICATION]
    assert next(line for line in logs if line["event"] == "model.added")["actor"] == "admin"
    assert node.leftovers() == []


def test_the_same_package_again_changes_nothing(node: Node) -> None:
    """Whoever is not sure whether it arrived sends it once more."""
    node.has()

    again = node.send(node.folder / "1.0.0.zip")

    assert again.status_code == 200
    assert node.states() == {"1.0.0": "inactive"}


def test_other_content_under_the_same_version_is_refused(node: Node) -> None:
    """A version means one thing, for ever."""
    node.has()
    other = write_package(node.folder / "other", Package("1.0.0", card="# Something else", golden=True))

    answer = node.send(as_zip(other, node.folder / "other.zip"))

    assert (answer.status_code, answer.json["code"]) == (409, "model.deployment_refused")
    assert node.leftovers() == []


def test_a_recalled_version_does_not_come_back(node: Node) -> None:
    """Not by an upload either."""
    node.has()
    node.post(f"{FIRST}/recall", {"reason": REASON})
    node.api.client.delete(FIRST, headers=node.api.bearer("admin"))

    answer = node.send(node.folder / "1.0.0.zip")

    assert (answer.status_code, answer.json["code"]) == (409, "model.recalled")


def test_every_fault_of_a_package_is_told_at_once(node: Node) -> None:
    """Whoever mends a manifest wants to do it in one go."""
    package = node.package()
    manifest = package / "manifest.toml"
    broken = manifest.read_text().replace('licence = "', 'license = "').replace('task = "segmentation"', 'task = "x"')
    manifest.write_text(broken + "\n[surprise]\nkey = 1\n")
    (package / "MODEL_CARD.md").unlink()

    answer = node.send(as_zip(package, node.folder / "broken.zip"))

    faults = [fault["detail"] for fault in answer.json["errors"]]
    assert (answer.status_code, answer.json["code"]) == (422, "model.package_refused")
    assert {fault["in"] for fault in answer.json["errors"]} == {"package"}
    assert len(faults) >= 4
    assert any("license: unknown key" in fault for fault in faults)
    assert any("MODEL_CARD.md" in fault for fault in faults)
    assert node.states() == {}
    assert node.leftovers() == []


def test_weights_that_are_not_the_manifests_are_refused(node: Node) -> None:
    """The digest is what ties the two together."""
    package = node.package()
    (package / "model.onnx").write_bytes((package / "model.onnx").read_bytes() + b"\0")

    answer = node.send(as_zip(package, node.folder / "changed.zip"))

    assert (answer.status_code, answer.json["code"]) == (422, "model.package_refused")
    assert "weights are not those of the manifest" in answer.json["detail"]
    assert node.states() == {}


@pytest.mark.parametrize(
    "body", [b"", b"not an archive at all", b"PK\x03\x04" + bytes(100), b"\x1f\x8b" + bytes(100), bytes(20480)]
)
def test_what_is_no_archive_is_refused(node: Node, body: bytes) -> None:
    """Whatever it begins like."""
    answer = node.send(body)

    assert (answer.status_code, answer.json["code"]) == (422, "model.package_refused")
    assert node.leftovers() == []


def test_a_package_that_was_cut_off_is_refused(node: Node) -> None:
    """Half a package must never look like a whole one."""
    archive = as_zip(node.package(), node.folder / "whole.zip").read_bytes()

    assert node.send(archive[: len(archive) // 2]).status_code == 422
    assert node.states() == {}


def test_a_body_that_ends_early_is_refused(node: Node) -> None:
    """The connection broke: what came is thrown away."""
    archive = as_zip(node.package(), node.folder / "whole.zip").read_bytes()

    answer = node.send(archive, environ_overrides={"CONTENT_LENGTH": str(len(archive) + 10)})

    assert answer.status_code == 400
    assert node.states() == {}
    assert node.leftovers() == []


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_package_that_is_too_large_is_refused(node: Node, declared: bool) -> None:
    """Whether or not it says beforehand how large it is."""
    options = {} if declared else {"content_length": None, "environ_overrides": {"wsgi.input_terminated": True}}

    answer = node.send(bytes(UPLOAD_BYTES + 1), **options)

    assert (answer.status_code, answer.json["code"]) == (413, "http.request_entity_too_large")
    assert node.leftovers() == []


def test_a_bomb_is_refused(node: Node) -> None:
    """What unpacks to more than twice the limit is no package of that size."""
    package = node.package()
    (package / "zeros.bin").write_bytes(bytes(2 * UPLOAD_BYTES + 1))
    archive = as_zip(package, node.folder / "bomb.zip")
    assert archive.stat().st_size < UPLOAD_BYTES

    answer = node.send(archive)

    assert (answer.status_code, "larger" in answer.json["detail"]) == (422, True)
    assert node.leftovers() == []


@pytest.mark.parametrize("left", [0, 100, -1])
def test_a_package_never_takes_the_room_that_images_need(
    node: Node, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    """Neither while it comes nor when it is unpacked; it may be sent again when there is room."""
    archive = as_zip(node.package(), node.folder / "p.zip")
    size = archive.stat().st_size
    monkeypatch.setattr("control_api.uploads.shutil.disk_usage", lambda _: Usage(free=size + left))

    answer = node.send(archive)

    assert answer.status_code == (503 if left < 0 else 201)
    assert ("Retry-After" in answer.headers) == (left < 0)
    assert node.leftovers() == []


@pytest.mark.parametrize(
    ("stated", "status"), [("right", 201), ("wrong", 422), ("not base64", 422), ("of another kind", 201)]
)
def test_a_digest_that_is_stated_is_checked(node: Node, stated: str, status: int) -> None:
    """What arrived is what was sent (RFC 9530); algorithms that we do not know are passed over."""
    archive = as_zip(node.package(), node.folder / "p.zip")
    right = base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()
    header = {
        "right": f"md5=:AAAA:, sha-256=:{right}:",
        "wrong": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:",
        "not base64": "sha-256=:A:",
        "of another kind": "sha-512=:AAAA:",
    }[stated]

    assert node.send(archive, headers={"Content-Digest": header}).status_code == status


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_a_package_in_a_form_is_refused(node: Node, kind: str) -> None:
    """The archive itself is the body; whoever sends a form is told."""
    answer = node.send(b"{}", content_type=kind)

    assert (answer.status_code, answer.json["code"]) == (415, "http.unsupported_media_type")


# --- proving ------------------------------------------------------------------------------------------------------


def test_a_look_is_asked_for_and_followed(node: Node) -> None:
    """From the request to what was found."""
    model = node.has()
    path = f"{FIRST}/verification"

    asked = node.post(f"{FIRST}/verify")
    assert (asked.status_code, asked.headers["Location"], asked.json["state"]) == (202, path, "requested")
    node.looked_over(model, FAULT)

    found = node.api.get(path).json
    assert (found["state"], found["counts"], found["requested_by"]) == ("failed", True, "admin")
    assert (found["worker"], found["provider"]) == ("host:1:abc", "CPUExecutionProvider")
    assert found["faults"] == [{"part": "golden numbers", "message": "they differ"}]


def test_a_queue_that_is_away_delays_a_look_only(node: Node) -> None:
    """The request is in the database; a dispatcher sends it when the queue is back."""
    node.api.queue.failure = QueueUnavailable("away")

    model = node.has()

    assert [hint.about for hint in node.api.services.models.verifications.due(10)] == [About.VERIFICATION]  # type: ignore[attr-defined]
    assert node.looked_over(model)


def test_a_look_at_what_changed_since_does_not_count(node: Node) -> None:
    """A manifest that was edited by hand makes another model of the same weights."""
    model = node.proven()
    manifest = node.api.catalogue.folder(model) / "manifest.toml"
    manifest.write_text(manifest.read_text() + "\n# a note\n")

    assert node.api.get(f"{FIRST}/verification").json["counts"] is False
    assert node.post(f"{FIRST}/activate").status_code == 409


def test_a_version_that_nobody_asked_about_has_no_look(api: ControlAPI) -> None:
    """It came with the node."""
    assert api.get(f"/api/models/{BRAIN.model_id}/{BRAIN.version}/verification").status_code == 404


# --- deciding -----------------------------------------------------------------------------------------------------


def test_a_version_that_proved_itself_is_activated_tried_and_rolled_back(node: Node) -> None:
    """Each decision says what it changed, and is safe to give again."""
    node.proven()
    node.proven("1.1.0", threshold=0.6)
    assert node.post(f"{FIRST}/activate").json["after"] == "active"

    tried = node.post(f"{SECOND}/shadow").json
    assert (tried["before"], tried["after"], tried["instead_of"]) == ("inactive", "shadow", None)
    changed = node.post(f"{SECOND}/activate").json
    assert (changed["model"]["version"], changed["instead_of"]["version"]) == ("1.1.0", "1.0.0")
    again = node.post(f"{SECOND}/activate").json
    assert (again["before"], again["after"]) == ("active", "active")
    assert node.post(f"/api/models/{ID}/roll-back").json["model"]["version"] == "1.0.0"
    assert node.states() == {"1.0.0": "active", "1.1.0": "inactive"}
    node.post(f"{FIRST}/deactivate")
    assert node.states() == {"1.0.0": "inactive", "1.1.0": "inactive"}


@pytest.mark.parametrize("action", ["activate", "shadow"])
def test_a_version_that_has_not_proved_itself_does_not_run(node: Node, action: str) -> None:
    """Neither before a worker looked at it, nor when it found something."""
    model = node.has()

    before = node.post(f"{FIRST}/{action}")
    node.looked_over(model, FAULT)
    after = node.post(f"{FIRST}/{action}")

    assert {answer.json["code"] for answer in (before, after)} == {"model.deployment_refused"}
    assert "has not ended" in before.json["detail"]
    assert "golden numbers: they differ" in after.json["detail"]
    assert node.states() == {"1.0.0": "inactive"}


def test_a_recall_withdraws_what_was_published(node: Node) -> None:
    """It needs a reason, holds for ever, and may be given again."""
    model = node.proven()
    node.post(f"{FIRST}/activate")
    columns = {"model_id": ID, "model_version": "1.0.0", "model_digest": model.digest}
    job_id = node.api.has_job(1, JobState.COMPLETED, **columns, result={"artifacts": []})

    answer = node.post(f"{FIRST}/recall", {"reason": f" {REASON} "})
    again = node.post(f"{FIRST}/recall", {"reason": "another"})

    assert (answer.status_code, answer.json["recalled"][0]["withdrawn"]) == (202, 1)
    assert (again.json["recalled"][0]["before"], again.json["recalled"][0]["withdrawn"]) == (True, 0)
    job = node.api.get(f"/api/jobs/{job_id}").json
    assert (job["state"], job["withdrawn"]["reason"]) == ("WITHDRAWING", REASON)
    assert node.states() == {"1.0.0": "recalled"}
    for action in ("activate", "shadow", "verify", "deactivate"):
        refused = node.post(f"{FIRST}/{action}")
        assert (refused.status_code, refused.json["code"]) == (409, "model.recalled"), action


@pytest.mark.parametrize(
    "body", [None, {}, {"reason": ""}, {"reason": " \t"}, {"reason": "x" * 501}, {"reason": "\x01"}]
)
def test_a_recall_without_a_reason_is_refused(node: Node, body: object) -> None:
    """Readers of the withdrawn results want to know why."""
    node.has()

    assert node.post(f"{FIRST}/recall", body).status_code in {400, 415, 422}
    assert node.states() == {"1.0.0": "inactive"}


def test_a_version_is_removed_when_it_rests(node: Node) -> None:
    """Not while it runs; and only one that was added."""
    node.proven()
    node.post(f"{FIRST}/activate")
    headers = node.api.bearer("admin")

    running = node.api.client.delete(FIRST, headers=headers)
    node.post(f"{FIRST}/deactivate")
    resting = node.api.client.delete(FIRST, headers=headers)

    assert (running.status_code, resting.status_code) == (409, 204)
    assert node.states() == {}
    assert node.api.client.delete(FIRST, headers=headers).status_code == 404


def test_there_must_be_something_to_go_back_to(node: Node) -> None:
    """It is said, and nothing changes."""
    node.has()

    answer = node.post(f"/api/models/{ID}/roll-back")

    assert (answer.status_code, answer.json["code"]) == (409, "model.deployment_refused")


@pytest.mark.parametrize("role", ["radiologist", "doctor", "nurse", "technician", "service"])
def test_only_administrators_decide(node: Node, role: str) -> None:
    """A body that nobody may send is not even read."""
    node.proven()
    paths = [f"{FIRST}/{action}" for action in ("verify", "activate", "shadow", "deactivate", "recall")]

    refused = [node.post(path, {"reason": REASON}, role) for path in (*paths, f"/api/models/{ID}/roll-back")]
    refused += [node.send(b"x" * 10, role), node.api.client.delete(FIRST, headers=node.api.bearer(role))]

    assert {answer.status_code for answer in refused} == {403}
    assert node.states() == {"1.0.0": "inactive"}
    assert node.api.get("/api/models", role).status_code == 200
