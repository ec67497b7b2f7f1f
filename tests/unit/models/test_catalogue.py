"""The catalogue lists what can be used, says what cannot, keeps the two apart, and follows what happens around it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference.domain.deployment import DeploymentEvent
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment, ModelSpec
from inference.errors import ModelNotFound, ModelRecalled, WeightsMismatch
from inference.ports import DeploymentLog
from models import catalogue as catalogue_module
from models.catalogue import FolderCatalogue, builtin_models_root
from models.manifest import load_manifest
from models.weights import verify
from tests.support.fakes import NOON
from tests.support.written_packages import manifest_values, write_manifest, write_package


class MemoryLog(DeploymentLog):
    """A log in memory."""

    def __init__(self) -> None:
        self._events: list[DeploymentEvent] = []

    def record(self, event: DeploymentEvent) -> None:
        """Append an event."""
        self._events.append(event)

    def events(self) -> Sequence[DeploymentEvent]:
        """List all events."""
        return tuple(self._events)

    def say(self, model: ModelReference, deployment: Deployment) -> None:
        """Append a decision."""
        self.record(DeploymentEvent(NOON, model, deployment, "somebody"))


def package(folder: Path, model_id: str = "small", version: str = "1.0.0") -> ModelReference:
    """Write a manifest whose digest tells it from others; most tests need no weights."""
    values = manifest_values(model_id, version)
    values["graph"]["sha256"] = hashlib.sha256(f"{model_id} {version}".encode()).hexdigest()
    return load_manifest(write_manifest(folder, values)).reference


def ids(catalogue: FolderCatalogue) -> list[str]:
    return [spec.reference.model_id for spec in catalogue.active()]


def deployed(specs: Sequence[ModelSpec]) -> dict[str, Deployment]:
    """Give what the node does, by version."""
    return {spec.reference.version: spec.deployment for spec in specs}


# What is found


def test_the_built_in_model_is_there_and_whole() -> None:
    """The package that comes with the node has the weights that its manifest names; its training is no package."""
    catalogue = FolderCatalogue([builtin_models_root()])
    assert ids(catalogue) == ["brain_structures"]
    assert catalogue.broken == ()
    spec = catalogue.get("brain_structures")
    assert spec.deployment is Deployment.ACTIVE
    verify(spec)


def test_packages_of_all_roots_are_listed_in_order(tmp_path: Path) -> None:
    """Order of id, whatever the folders are called; a folder without manifest is none of them."""
    package(tmp_path / "a" / "one", "zebra")
    package(tmp_path / "b" / "two", "ant")
    (tmp_path / "b" / "notes").mkdir()
    (tmp_path / "b" / "README.md").write_text("A file, no folder")
    assert ids(FolderCatalogue([tmp_path / "a", tmp_path / "b"])) == ["ant", "zebra"]


def test_versions_lie_side_by_side(tmp_path: Path) -> None:
    """In a folder for each, or in folders below a folder of the model; the highest runs, all are listed in order."""
    package(tmp_path / "small" / "1.10.0", version="1.10.0")
    package(tmp_path / "small" / "1.9.0", version="1.9.0")
    package(tmp_path / "small-2", version="2.0.0-rc.1")
    catalogue = FolderCatalogue([tmp_path])
    assert list(deployed(catalogue.all()).items()) == [
        ("1.9.0", Deployment.INACTIVE),
        ("1.10.0", Deployment.INACTIVE),
        ("2.0.0-rc.1", Deployment.ACTIVE),
    ]
    assert catalogue.folder(catalogue.get("small").reference) == tmp_path / "small-2"
    assert catalogue.broken == ()


def test_what_lies_inside_a_package_is_part_of_it(tmp_path: Path) -> None:
    """A manifest kept for comparison, and a package that is still being copied, are no packages."""
    package(tmp_path / "one")
    package(tmp_path / "one" / "old", "old")
    package(tmp_path / ".incoming" / "two", "two")
    assert ids(FolderCatalogue([tmp_path])) == ["small"]


def test_a_broken_package_does_not_take_the_others_down(tmp_path: Path) -> None:
    """It is listed with its fault, and not offered."""
    package(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.toml").write_text("schema_version = 2\nnonsense = true")
    catalogue = FolderCatalogue([tmp_path])
    assert ids(catalogue) == ["small"]
    (broken,) = catalogue.broken
    assert broken.folder == tmp_path / "bad"
    assert "nonsense: unknown key" in broken.reason


def test_packages_that_share_id_and_version_are_not_guessed_between(tmp_path: Path) -> None:
    """Neither is offered, both are listed; another version is."""
    twice = package(tmp_path / "one")
    package(tmp_path / "two")
    package(tmp_path / "three", version="0.9.0")
    catalogue = FolderCatalogue([tmp_path])
    assert deployed(catalogue.active()) == {"0.9.0": Deployment.ACTIVE}
    assert {(x.folder.name, x.reason) for x in catalogue.broken} == {
        ("one", "several packages are small 1.0.0"),
        ("two", "several packages are small 1.0.0"),
    }
    with pytest.raises(ModelNotFound):
        catalogue.exactly(twice)


def test_a_root_named_twice_is_read_once(tmp_path: Path) -> None:
    """The same folder by two names is no second package; the store among the roots is the store."""
    package(tmp_path / "one")
    assert ids(FolderCatalogue([tmp_path, tmp_path / "one" / ".."])) == ["small"]
    assert ids(FolderCatalogue([tmp_path], store=tmp_path)) == []


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A misspelt models folder shows, and the rest works; a store comes with its first package."""
    catalogue = FolderCatalogue([tmp_path / "absent", builtin_models_root()], store=tmp_path / "store")
    assert ids(catalogue) == ["brain_structures"]
    assert [broken.folder for broken in catalogue.broken] == [tmp_path / "absent"]


def test_an_unknown_model_is_not_found() -> None:
    """The message does not repeat what was asked for: it may come from outside."""
    catalogue = FolderCatalogue([])
    unknown = ModelReference("<script>", "1.0.0", "0" * 64)
    for question in (
        lambda: catalogue.get("<script>"),
        lambda: catalogue.exactly(unknown),
        lambda: catalogue.folder(unknown),
    ):
        with pytest.raises(ModelNotFound) as caught:
            question()
        assert "<script>" not in caught.value.message


# What runs


def test_the_log_decides_what_runs(tmp_path: Path) -> None:
    """What lies in the store waits; a trial runs beside the active version, and does not take its name."""
    log = MemoryLog()
    first = package(tmp_path / "roots" / "small")
    second = package(tmp_path / "store" / "small" / "2.0.0", version="2.0.0")
    catalogue = FolderCatalogue([tmp_path / "roots"], tmp_path / "store", log)
    assert deployed(catalogue.active()) == {"1.0.0": Deployment.ACTIVE}

    log.say(second, Deployment.SHADOW)
    assert deployed(catalogue.active()) == {"1.0.0": Deployment.ACTIVE, "2.0.0": Deployment.SHADOW}
    assert catalogue.get("small").reference == first

    log.say(second, Deployment.ACTIVE)
    assert deployed(catalogue.all()) == {"1.0.0": Deployment.INACTIVE, "2.0.0": Deployment.ACTIVE}
    assert catalogue.get("small").reference == second

    log.say(second, Deployment.INACTIVE)
    assert catalogue.active() == ()
    with pytest.raises(ModelNotFound):
        catalogue.get("small")


def test_any_version_is_given_for_its_digest(tmp_path: Path) -> None:
    """A job that waits is run by the version it was made for; other weights under the same name are not that."""
    log = MemoryLog()
    first = package(tmp_path / "1", version="1.0.0")
    second = package(tmp_path / "2", version="2.0.0")
    catalogue = FolderCatalogue([tmp_path], log=log)
    assert catalogue.exactly(first).deployment is Deployment.INACTIVE
    assert catalogue.exactly(second).deployment is Deployment.ACTIVE
    with pytest.raises(ModelNotFound):
        catalogue.exactly(ModelReference("small", "1.0.0", "f" * 64))


def test_a_recalled_version_never_runs(tmp_path: Path) -> None:
    """Not by name, not by digest, not when its package is gone; it stays listed as what it is."""
    log = MemoryLog()
    recalled = package(tmp_path / "1")
    catalogue = FolderCatalogue([tmp_path], log=log)
    log.say(recalled, Deployment.RECALLED)
    log.say(recalled, Deployment.ACTIVE)
    assert catalogue.active() == ()
    assert deployed(catalogue.all()) == {"1.0.0": Deployment.RECALLED}
    for _ in range(2):
        with pytest.raises(ModelRecalled):
            catalogue.exactly(recalled)
        shutil.rmtree(tmp_path / "1", ignore_errors=True)
    assert catalogue.broken == ()


def test_a_version_that_should_run_and_is_gone_is_told(tmp_path: Path) -> None:
    """Otherwise nothing would say why nothing is analysed any more."""
    log = MemoryLog()
    chosen = package(tmp_path / "1")
    package(tmp_path / "2", version="2.0.0")
    log.say(chosen, Deployment.ACTIVE)
    catalogue = FolderCatalogue([tmp_path], log=log)
    shutil.rmtree(tmp_path / "1")
    assert catalogue.active() == ()
    (broken,) = catalogue.broken
    assert broken.folder.name == "small"
    assert broken.reason == f"version 1.0.0 ({chosen.digest[:12]}) is active but not here"


# What happens meanwhile


def test_a_running_node_sees_what_comes_changes_and_goes(tmp_path: Path) -> None:
    """Without being asked to look again."""
    catalogue = FolderCatalogue([tmp_path])
    assert ids(catalogue) == []
    package(tmp_path / "new", "new")
    assert ids(catalogue) == ["new"]
    package(tmp_path / "new", "renamed")
    assert ids(catalogue) == ["renamed"]
    (tmp_path / "new" / "manifest.toml").write_text("x")
    assert (ids(catalogue), len(catalogue.broken)) == ([], 1)
    shutil.rmtree(tmp_path / "new")
    assert (ids(catalogue), catalogue.broken) == ([], ())


def test_a_manifest_is_read_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask costs a look at the folder; a change of the same length within the same second is still seen."""
    read: list[Path] = []

    def counted(path: Path) -> ModelSpec:
        read.append(path)
        return load_manifest(path)

    monkeypatch.setattr(catalogue_module, "load_manifest", counted)
    package(tmp_path / "a")
    catalogue = FolderCatalogue([tmp_path])
    for _ in range(3):
        catalogue.active()
    assert len(read) == 1
    manifest = tmp_path / "a" / "manifest.toml"
    before = manifest.stat()
    package(tmp_path / "a", "llams")
    os.utime(manifest, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert manifest.stat().st_size == before.st_size
    assert ids(catalogue) == ["llams"]
    assert len(read) == 2


def test_threads_may_ask_while_packages_come_and_go(tmp_path: Path) -> None:
    """Nobody is given an error or half a package."""
    package(tmp_path / "fixed", "fixed")
    catalogue = FolderCatalogue([tmp_path])

    def change(number: int) -> None:
        package(tmp_path / f"{number}", f"model_{number}")
        shutil.rmtree(tmp_path / f"{number}")

    def ask(_: int) -> list[str]:
        return ids(catalogue)

    with ThreadPoolExecutor(4) as pool:
        changes = pool.map(change, range(30))
        answers = list(pool.map(ask, range(60)))
        list(changes)
    assert all("fixed" in answer for answer in answers)
    assert ids(catalogue) == ["fixed"]


# Weights


@pytest.mark.parametrize("spoil", ["change", "remove"])
def test_other_weights_are_refused(tmp_path: Path, spoil: str) -> None:
    """A file that was swapped, cut or lost is never run."""
    weights = write_package(tmp_path / "one", golden=False) / "model.onnx"
    verify(FolderCatalogue([tmp_path]).get("small"))
    if spoil == "remove":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(WeightsMismatch):
        verify(FolderCatalogue([tmp_path]).get("small"))
