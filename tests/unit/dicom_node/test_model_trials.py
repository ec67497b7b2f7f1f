"""A worker looks a version over, records what it found, and survives whatever the package does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dicom_node.model_trials import ModelTrials
from inference.domain.deployment import DeploymentEvent
from inference.domain.identifiers import JobID
from inference.domain.model_spec import Deployment, ModelSpec
from inference.domain.verification import Verification, VerificationFault, VerificationState
from inference.engine import OnnxModelRunner
from inference.ports import Tensor
from integrations.persistence.deployments import SQLDeploymentLog
from integrations.persistence.verifications import SQLVerificationLog
from models.catalogue import FolderCatalogue
from models.proof import subject_of
from tests.support.fakes import NOON, CountingUIDSource, FixedClock
from tests.support.package_folders import Package, reference_of, write_package
from tests.support.written_packages import cpu_runner


class Watched(OnnxModelRunner):
    """A runner that remembers whether it was closed, and raises what it is told to."""

    closed = 0
    failure: Exception | None = None

    def run(self, spec: ModelSpec, tensor: Tensor) -> tuple[Tensor, ...]:
        """Raise, or run."""
        if self.failure is not None:
            raise self.failure
        return super().run(spec, tensor)

    def close(self) -> None:
        """Count."""
        super().close()
        self.closed += 1


@dataclass
class Bench:
    """A package, a request, and the worker."""

    engine: Engine
    folder: Path
    runner: Watched = field(default_factory=Watched)

    def __post_init__(self) -> None:
        clock = FixedClock()
        self.log = SQLVerificationLog(self.engine, clock, CountingUIDSource())
        self.decisions = SQLDeploymentLog(self.engine, clock)
        self.package = write_package(self.folder / "bright", Package(golden=True))
        self.model = reference_of(self.package)
        catalogue = FolderCatalogue([self.folder], None, self.decisions)
        self.trials = ModelTrials(self.log, catalogue, lambda: self.runner, "host:1:abc")

    def look(self) -> Verification:
        """Ask for a look, let the worker make it, and give what was recorded."""
        asked = self.log.request(subject_of(self.model, self.package, "9.8.7"), "admin")
        self.trials.run(asked.verification_id)
        found = self.log.find(asked.verification_id)
        assert found is not None
        return found


@pytest.fixture
def bench(sqlite_engine: Engine, tmp_path: Path) -> Bench:
    """Give a bench with a good package."""
    folder = tmp_path / "packages"
    folder.mkdir()
    return Bench(sqlite_engine, folder)


def test_a_good_version_proves_itself(bench: Bench) -> None:
    """On the device that is recorded; nothing of it stays in the worker's memory."""
    found = bench.look()

    assert (found.state, found.faults) == (VerificationState.PASSED, ())
    assert (found.provider, found.worker) == ("CPUExecutionProvider", "host:1:abc")
    assert bench.runner.closed == 1


def test_everything_that_is_wrong_is_recorded(bench: Bench) -> None:
    """By part, so that a person can mend it."""
    (bench.package / "MODEL_CARD.md").unlink()
    (bench.package / "golden" / "golden.json").unlink()

    found = bench.look()

    assert (found.state, found.provider) == (VerificationState.FAILED, None)
    assert [fault.part for fault in found.faults] == ["model card", "golden numbers"]


@pytest.mark.parametrize("failure", [MemoryError(), ZeroDivisionError("secret")])
def test_a_package_that_raises_anything_does_not_end_the_worker(bench: Bench, failure: Exception) -> None:
    """It has failed, and what is said holds no foreign text."""
    bench.runner.failure = failure

    found = bench.look()

    assert found.state is VerificationState.FAILED
    assert found.faults == (VerificationFault("package", f"it could not be looked over ({type(failure).__name__})"),)
    assert bench.runner.closed == 1


def test_a_recalled_version_is_not_run(bench: Bench) -> None:
    """Also not to look at it."""
    bench.decisions.record(DeploymentEvent(NOON, bench.model, Deployment.RECALLED, "admin", "why"))

    found = bench.look()

    assert "was recalled" in found.faults[0].message
    assert bench.runner.closed == 0


def test_a_manifest_that_changed_meanwhile_is_not_the_one_that_was_meant(bench: Bench) -> None:
    """What is recorded would be about something else."""
    asked = bench.log.request(subject_of(bench.model, bench.package, "9.8.7"), "admin")
    manifest = bench.package / "manifest.toml"
    manifest.write_text(manifest.read_text() + "\n")

    bench.trials.run(asked.verification_id)

    found = bench.log.find(asked.verification_id)
    assert found is not None
    assert [fault.part for fault in found.faults] == ["manifest"]


def test_a_message_that_comes_twice_has_no_effect(bench: Bench) -> None:
    """Nor has one about nothing."""
    found = bench.look()

    bench.trials.run(found.verification_id)
    bench.trials.run(JobID("f" * 32))

    assert bench.log.find(found.verification_id) == found
    assert bench.runner.closed == 1


def test_the_engine_says_where_it_would_run() -> None:
    """Nothing is loaded for that."""
    assert cpu_runner().device() == "CPUExecutionProvider"
