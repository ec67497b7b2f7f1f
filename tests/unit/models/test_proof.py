"""A process that cannot run models activates only what is recorded to have proved itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inference.domain.identifiers import JobID
from inference.domain.verification import Subject, Verification, VerificationFault, VerificationState
from inference.errors import ModelContractViolated
from models.proof import recorded_proof, subject_of
from tests.support.fakes import NOON
from tests.support.package_folders import reference_of, write_package

FAULT = VerificationFault("graph", "it does not fit")


@dataclass
class Recorded:
    """What was recorded of one package, the latest first."""

    subject: Subject
    states: list[VerificationState] = field(default_factory=list)

    def of(self, subject: Subject) -> Sequence[Verification]:
        """Give it of exactly that subject."""
        found = self.states if subject == self.subject else []
        return [self._one(state) for state in found]

    def _one(self, state: VerificationState) -> Verification:
        faults = (FAULT,) if state is VerificationState.FAILED else ()
        return Verification(JobID("0" * 32), self.subject, state, NOON, "admin", faults=faults)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Give a package."""
    return write_package(tmp_path / "bright")


@pytest.fixture
def told(package: Path) -> Callable[..., list[str]]:
    """Give what is said of the package when looks ended like this."""

    def say(*states: VerificationState) -> list[str]:
        recorded = Recorded(subject_of(reference_of(package), package, "1.0"), list(states))
        return list(recorded_proof(recorded, "1.0")(package))

    return say


REQUESTED, RUNNING, PASSED, FAILED = VerificationState


def test_what_passed_may_run(told: Callable[..., list[str]]) -> None:
    """The latest look that ended decides, and one that goes on takes nothing away."""
    assert told(PASSED) == []
    assert told(RUNNING, PASSED, FAILED) == []


def test_what_failed_last_may_not(told: Callable[..., list[str]]) -> None:
    """Each fault is said."""
    assert told(FAILED, PASSED) == ["bright_tissue 1.0.0: graph: it does not fit"]


def test_what_was_not_looked_over_may_not(told: Callable[..., list[str]]) -> None:
    """It is said what to do."""
    assert told() == ["bright_tissue 1.0.0 has not proved itself on this node yet: verify it first"]
    assert told(REQUESTED)[0].endswith("its verification has not ended")


def test_another_node_or_manifest_proves_nothing(package: Path) -> None:
    """An upgrade may compute otherwise, and a manifest says how the weights are used."""
    recorded = Recorded(subject_of(reference_of(package), package, "1.0"), [PASSED])
    assert recorded_proof(recorded, "1.1")(package)

    manifest = package / "manifest.toml"
    manifest.write_text(manifest.read_text() + "\n")

    assert recorded_proof(recorded, "1.0")(package)


def test_a_package_whose_manifest_is_gone_is_refused(package: Path) -> None:
    """Somebody deletes it while it is being activated."""
    model = reference_of(package)
    (package / "manifest.toml").unlink()

    with pytest.raises(ModelContractViolated):
        subject_of(model, package, "1.0")
