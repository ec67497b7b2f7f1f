"""Decisions about models, on real packages in folders and a real job store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from inference.domain.job import JobState, ModelReference, NewJob, QueueName
from inference.domain.model_spec import Deployment
from inference.errors import (
    DeploymentRefused,
    ModelContractViolated,
    ModelNotFound,
    ModelRecalled,
    StoreUnavailable,
    WeightsMismatch,
)
from integrations import durable_files
from integrations.persistence.deployments import SQLDeploymentLog
from integrations.persistence.job_store import SQLJobStore
from models.catalogue import FolderCatalogue
from models.deployment import DeploymentPlaces, ModelDeployment
from models.installation import add_package, remove_package
from models.model_store import ModelStore
from models.recall import recall
from tests.support.fakes import CountingUIDSource, FixedClock
from tests.support.package_folders import Package, as_zip, reference_of, write_package
from tests.support.spooled_instances import SERIES, STUDY

ID = "bright_tissue"
REASON = "it mixes up left and right"


@dataclass
class Node:
    """A node's models and what is decided about them.

    Parameters
    ----------
    engine
        A migrated database.
    folder
        Where packages come from, and where they are kept.
    faults
        What the verification of the next packages finds.
    verified
        The folders that were looked over.
    """

    engine: Engine
    folder: Path
    faults: list[str] = field(default_factory=list)
    verified: list[Path] = field(default_factory=list)
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        self.built_in, self.root = self.folder / "built-in", self.folder / "store"
        self.built_in.mkdir()
        self.log = SQLDeploymentLog(self.engine, self.clock)
        self.jobs = SQLJobStore(self.engine, self.clock, CountingUIDSource())
        self.store = ModelStore(self.root, durable_files)
        self.catalogue = FolderCatalogue([self.built_in], self.root, self.log)
        self.places = DeploymentPlaces(self.catalogue, self.log, self.jobs, self.clock, "operator")
        self.deployment = ModelDeployment(self.places, self._verify)

    def _verify(self, folder: Path) -> Sequence[object]:
        self.verified.append(folder)
        return self.faults

    def has(self, *versions: str) -> None:
        """Let versions be in the store."""
        for version in versions:
            self.add(Package(version))

    def add(self, package: Package) -> bool:
        """Write a package and add it."""
        source = write_package(self.folder / f"{package.version} {len(list(self.folder.iterdir()))}", package)
        return add_package(self.places, self.store, source)[1]

    def state(self) -> dict[str, Deployment]:
        """Give what the node does with each version."""
        return {spec.reference.version: spec.deployment for spec in self.catalogue.all()}

    def reference(self, version: str) -> ModelReference:
        """Give a version that is here."""
        return next(spec.reference for spec in self.catalogue.all() if spec.reference.version == version)


@pytest.fixture
def node(sqlite_engine: Engine, tmp_path: Path) -> Node:
    """Give a node without any model."""
    return Node(sqlite_engine, tmp_path)


ON, OFF, TRIED, RECALLED = Deployment.ACTIVE, Deployment.INACTIVE, Deployment.SHADOW, Deployment.RECALLED


# Adding


def test_what_is_added_is_there_and_does_nothing(node: Node) -> None:
    """It lies in a folder of its own, whole, with nothing beside it, and is inactive."""
    assert node.add(Package("1.0.0"))

    assert node.state() == {"1.0.0": OFF}
    assert {path.name for path in (node.root / ID / "1.0.0").iterdir()} == {
        "manifest.toml",
        "model.onnx",
        "MODEL_CARD.md",
    }
    assert [path.name for path in node.root.iterdir()] == [ID]
    assert (node.root / ID / "1.0.0").stat().st_mode & 0o777 == 0o755
    assert node.catalogue.broken == ()
    assert node.log.events() == []


def test_an_archive_is_added_like_a_folder(node: Node) -> None:
    """People send models as archives."""
    archive = as_zip(write_package(node.folder / "bright"), node.folder / "bright.zip", "bright/")

    spec, added = add_package(node.places, node.store, archive)

    assert (spec.reference.version, added) == ("1.0.0", True)
    assert node.state() == {"1.0.0": OFF}


def test_the_same_package_again_changes_nothing(node: Node) -> None:
    """Also when it is active by now."""
    node.has("1.0.0")
    node.deployment.activate(ID)

    assert not node.add(Package("1.0.0"))
    assert node.state() == {"1.0.0": ON}


@pytest.mark.parametrize("other", [Package(threshold=0.7), Package(nodes=("Identity", "Identity"))])
def test_a_version_means_one_content(node: Node, other: Package) -> None:
    """Other weights or another manifest under the same version would make old results untraceable."""
    node.has("1.0.0")

    with pytest.raises(DeploymentRefused, match="new version"):
        node.add(other)
    assert node.state() == {"1.0.0": OFF}


def test_a_version_that_was_removed_still_means_its_content(node: Node) -> None:
    """Jobs and decisions name it."""
    node.has("1.0.0")
    node.deployment.activate(ID)
    node.deployment.deactivate(ID)
    remove_package(node.places, node.store, ID, "1.0.0")

    with pytest.raises(DeploymentRefused, match="other weights"):
        node.add(Package("1.0.0", nodes=("Identity", "Identity")))
    assert node.add(Package("1.0.0"))
    assert node.state() == {"1.0.0": OFF}


def test_a_package_that_came_with_the_node_is_not_added(node: Node) -> None:
    """Two folders of one version would both be unusable."""
    write_package(node.built_in / ID)

    with pytest.raises(DeploymentRefused, match="came with the node"):
        node.add(Package())
    assert (node.state(), node.catalogue.broken) == ({"1.0.0": ON}, ())


def break_manifest(package: Path) -> None:
    """Put a key into the manifest that nobody knows."""
    with (package / "manifest.toml").open("a") as manifest:
        manifest.write("speed = 3\n")


def drop_licence(package: Path) -> None:
    """Leave the licence out."""
    manifest = package / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('licence = "Apache-2.0", ', ""))


def flip_byte(package: Path) -> None:
    """Change one byte of the weights."""
    weights = bytearray((package / "model.onnx").read_bytes())
    weights[-1] ^= 1
    (package / "model.onnx").write_bytes(weights)


def empty_card(package: Path) -> None:
    """Leave the model card empty."""
    (package / "MODEL_CARD.md").write_text(" \n")


@pytest.mark.parametrize(
    ("spoil", "error", "names"),
    [
        (break_manifest, ModelContractViolated, "speed"),
        (drop_licence, ModelContractViolated, "licence"),
        (flip_byte, WeightsMismatch, "weights"),
        (empty_card, ModelContractViolated, "MODEL_CARD.md"),
    ],
)
def test_what_is_not_in_order_is_not_taken(node: Node, spoil: object, error: type[Exception], names: str) -> None:
    """And leaves nothing behind."""
    package = write_package(node.folder / "spoilt")
    spoil(package)  # type: ignore[operator]

    with pytest.raises(error, match=names):
        add_package(node.places, node.store, package)
    assert list(node.root.iterdir()) == []


def test_a_store_that_cannot_be_written_is_said_so(node: Node) -> None:
    """The disk may be full, or another's."""
    node.root.write_text("no folder")

    with pytest.raises(StoreUnavailable):
        node.add(Package())


# Activating


def test_activating_takes_the_others_place(node: Node) -> None:
    """One version of a model is active at a time; the log says who decided, and a line too."""
    node.has("1.0.0", "1.1.0")
    node.deployment.activate(ID, "1.0.0")
    with capture_logs() as lines:
        change = node.deployment.activate(ID, "1.1.0")

    assert (change.before, change.after, change.instead_of) == (OFF, ON, node.reference("1.0.0"))
    assert node.state() == {"1.0.0": OFF, "1.1.0": ON}
    assert [(event.actor, event.at) for event in node.log.events()] == [("operator", node.clock.now())] * 2
    (line,) = lines
    assert (line["event"], line["version"], line["deployment"], line["actor"]) == (
        "model.deployed",
        "1.1.0",
        "active",
        "operator",
    )


def test_what_computes_something_else_is_not_activated(node: Node) -> None:
    """Its golden numbers are looked at here, each time, and the fault is told."""
    node.has("1.0.0")
    node.faults = ["golden numbers: 3 of 64 values differ"]

    for decide in (lambda: node.deployment.activate(ID), lambda: node.deployment.shadow(ID, "1.0.0")):
        with pytest.raises(DeploymentRefused, match="64 values differ"):
            decide()
    assert (node.state(), node.log.events()) == ({"1.0.0": OFF}, [])
    assert node.verified == [node.root / ID / "1.0.0"] * 2


def test_a_version_must_be_clear(node: Node) -> None:
    """Without a number there is only one that can be meant."""
    node.has("1.0.0", "1.1.0")

    with pytest.raises(DeploymentRefused, match=r"1\.0\.0, 1\.1\.0"):
        node.deployment.activate(ID)
    for model_id, version in (("nothing", None), (ID, "2.0.0")):
        with pytest.raises(ModelNotFound):
            node.deployment.activate(model_id, version)


def test_a_decision_that_is_made_already_is_not_written_again(node: Node) -> None:
    """The command may be given twice; the package is not looked over for it."""
    node.has("1.0.0")
    node.deployment.activate(ID)
    change = node.deployment.activate(ID)

    assert (change.before, change.after) == (ON, ON)
    assert (len(node.log.events()), len(node.verified)) == (1, 1)


def test_a_trial_runs_beside_the_active_one(node: Node) -> None:
    """And takes nobody's place."""
    node.has("1.0.0", "1.1.0")
    node.deployment.activate(ID, "1.0.0")
    change = node.deployment.shadow(ID, "1.1.0")

    assert change.instead_of is None
    assert node.state() == {"1.0.0": ON, "1.1.0": TRIED}

    node.deployment.activate(ID, "1.1.0")
    assert node.state() == {"1.0.0": OFF, "1.1.0": ON}


def test_the_active_one_is_switched_off(node: Node) -> None:
    """The one that is active, or the one that is named."""
    node.has("1.0.0", "1.1.0")
    node.deployment.activate(ID, "1.0.0")
    node.deployment.shadow(ID, "1.1.0")

    node.deployment.deactivate(ID)
    assert node.state() == {"1.0.0": OFF, "1.1.0": TRIED}
    with pytest.raises(DeploymentRefused, match="no version"):
        node.deployment.deactivate(ID)
    node.deployment.deactivate(ID, "1.1.0")
    assert node.state() == {"1.0.0": OFF, "1.1.0": OFF}


def test_a_built_in_version_comes_back(node: Node) -> None:
    """It was active without a command, and nothing else than a command ends that."""
    write_package(node.built_in / ID, Package("0.9.0"))
    node.has("1.0.0")
    assert node.state() == {"0.9.0": ON, "1.0.0": OFF}

    node.deployment.activate(ID, "1.0.0")
    assert node.state() == {"0.9.0": OFF, "1.0.0": ON}

    change = node.deployment.roll_back(ID)
    assert (change.model.version, change.instead_of) == ("0.9.0", node.reference("1.0.0"))
    assert node.state() == {"0.9.0": ON, "1.0.0": OFF}


def test_a_trial_pins_nothing(node: Node) -> None:
    """What is active of itself stays so, also when the node brings a newer one."""
    write_package(node.built_in / "old", Package("0.8.0"))
    node.has("1.0.0")
    node.deployment.shadow(ID, "1.0.0")
    write_package(node.built_in / "new", Package("0.9.0"))

    assert node.state() == {"0.8.0": OFF, "0.9.0": ON, "1.0.0": TRIED}


# Going back


def test_rolling_back_is_one_command(node: Node) -> None:
    """Again and again, farther and farther, without another look at golden numbers."""
    node.has("1.0.0", "1.1.0", "1.2.0")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        node.deployment.activate(ID, version)
    node.faults = ["this machine computes something else now"]

    assert node.deployment.roll_back(ID).model.version == "1.1.0"
    assert node.state() == {"1.0.0": OFF, "1.1.0": ON, "1.2.0": OFF}
    assert node.deployment.roll_back(ID).model.version == "1.0.0"
    with pytest.raises(DeploymentRefused, match="no other version"):
        node.deployment.roll_back(ID)
    assert node.state() == {"1.0.0": ON, "1.1.0": OFF, "1.2.0": OFF}


def test_what_is_gone_cannot_be_gone_back_to(node: Node) -> None:
    """The person is told which one it was."""
    node.has("1.0.0", "1.1.0")
    node.deployment.activate(ID, "1.0.0")
    node.deployment.activate(ID, "1.1.0")
    remove_package(node.places, node.store, ID, "1.0.0")

    with pytest.raises(DeploymentRefused, match=r"1\.0\.0 was active before, but is not here"):
        node.deployment.roll_back(ID)
    assert node.state() == {"1.1.0": ON}


# Removing


def test_only_what_is_at_rest_is_removed(node: Node) -> None:
    """A version that runs is needed, and so is one whose jobs have not ended."""
    node.has("1.0.0")
    for decide in (node.deployment.activate, lambda model_id: node.deployment.shadow(model_id, "1.0.0")):
        decide(ID)
        with pytest.raises(DeploymentRefused, match="deactivate"):
            remove_package(node.places, node.store, ID, "1.0.0")
    node.deployment.deactivate(ID, "1.0.0")
    job = node.jobs.create(NewJob(STUDY, SERIES, 1, node.reference("1.0.0")))

    with pytest.raises(DeploymentRefused, match="1 jobs"):
        remove_package(node.places, node.store, ID, "1.0.0")

    node.jobs.cancel(job.job_id)
    remove_package(node.places, node.store, ID, "1.0.0")
    assert (node.state(), list((node.root / ID).iterdir())) == ({}, [])
    with pytest.raises(ModelNotFound):
        remove_package(node.places, node.store, ID, "1.0.0")


def test_a_package_of_somebody_else_is_not_removed(node: Node) -> None:
    """What came with the node goes with the node."""
    write_package(node.built_in / ID)
    node.deployment.deactivate(ID)

    with pytest.raises(DeploymentRefused, match="by hand"):
        remove_package(node.places, node.store, ID, "1.0.0")
    assert node.state() == {"1.0.0": OFF}


# Recalling


def published(node: Node, model: ModelReference) -> NewJob:
    """Let a version have published a result."""
    new = NewJob(STUDY, SERIES, 1, model)
    job = node.jobs.create(new)
    lease = node.jobs.claim(job.job_id, QueueName.INFERENCE, "worker", 60)
    assert lease is not None
    node.jobs.deliver(lease, {"measurements": []})
    lease = node.jobs.claim(job.job_id, QueueName.DELIVERY, "worker", 60)
    assert lease is not None
    node.jobs.complete(lease, "DiagnosticReport/1")
    return new


def test_a_recall_ends_a_version_for_good(node: Node) -> None:
    """It runs no more, its results are withdrawn, it can be neither activated nor added again, only removed."""
    node.has("1.0.0", "1.1.0")
    node.deployment.activate(ID, "1.0.0")
    node.deployment.activate(ID, "1.1.0")
    new = published(node, node.reference("1.1.0"))

    (done,) = recall(node.places, ID, "1.1.0", REASON)

    assert (done.model, done.before, done.withdrawn) == (node.reference("1.1.0"), False, 1)
    assert node.state() == {"1.0.0": OFF, "1.1.0": RECALLED}
    assert node.jobs.create(new).state is JobState.WITHDRAWING
    for decide in (
        lambda: node.deployment.activate(ID, "1.1.0"),
        lambda: node.deployment.shadow(ID, "1.1.0"),
        lambda: node.deployment.deactivate(ID, "1.1.0"),
        lambda: node.add(Package("1.1.0")),
    ):
        with pytest.raises(ModelRecalled):
            decide()
    assert node.deployment.roll_back(ID).model.version == "1.0.0"


def test_a_recall_can_be_repeated(node: Node) -> None:
    """It carries on with what is left, in the words of the first one, and is one decision."""
    node.has("1.0.0")
    new = published(node, node.reference("1.0.0"))
    recall(node.places, ID, "1.0.0", REASON)
    job = node.jobs.create(new)
    lease = node.jobs.claim(job.job_id, QueueName.DELIVERY, "worker", 60)
    assert lease is not None
    node.jobs.withdrawn(lease)

    (done,) = recall(node.places, ID, "1.0.0", "said otherwise")

    assert (done.before, done.withdrawn) == (True, 0)
    assert [event.reason for event in node.log.events()] == [REASON]


def test_a_version_that_is_gone_is_recalled_too(node: Node) -> None:
    """Its results are still there: those of a removed package, and of one that an upgrade of the node replaced."""
    write_package(node.built_in / "brain", Package("0.9.0", "brain"))
    gone = next(spec.reference for spec in node.catalogue.all())
    published(node, gone)
    shutil.rmtree(node.built_in / "brain")

    (done,) = recall(node.places, "brain", "0.9.0", REASON)

    assert (done.model, done.withdrawn) == (gone, 1)
    with pytest.raises(ModelRecalled):
        node.catalogue.exactly(gone)


def test_a_version_that_never_was_is_not_recalled(node: Node) -> None:
    """A misspelt number must not look like success."""
    node.has("1.0.0")

    with pytest.raises(ModelNotFound, match="never had"):
        recall(node.places, ID, "1.0.1", REASON)
    assert node.log.events() == []


def test_a_recalled_version_can_be_removed(node: Node) -> None:
    """Its recall stays."""
    node.has("1.0.0")
    recalled = reference_of(node.root / ID / "1.0.0")
    recall(node.places, ID, "1.0.0", REASON)
    remove_package(node.places, node.store, ID, "1.0.0")

    with pytest.raises(ModelRecalled):
        node.catalogue.exactly(recalled)
    with pytest.raises(ModelRecalled):
        node.add(Package("1.0.0"))


def test_what_a_process_left_that_was_killed_is_removed_the_next_day(node: Node) -> None:
    """A package may be as large as a disk is left; what is younger may be somebody's work."""
    for name, age in (("old", 86401), ("young", 3600)):
        left = node.root / f".incoming-{name}"
        left.mkdir(parents=True)
        (left / "package").write_bytes(b"x")
        then = left.stat().st_mtime - age
        os.utime(left, (then, then))

    node.has("1.0.0")

    assert [path.name for path in node.root.glob(".*")] == [".incoming-young"]
