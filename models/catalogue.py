"""The model packages of a node: found in folders, several versions side by side, deployed as the log says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Final

from inference.domain.deployment import present
from inference.domain.job import ModelReference
from inference.domain.model_spec import Deployment, ModelSpec
from inference.errors import ModelContractViolated, ModelNotFound, ModelRecalled
from inference.ports import DeploymentLog, ModelCatalogue
from models.deployed import deployments, precedence
from models.manifest import MANIFEST_NAME, load_manifest

_RUNS: Final = frozenset({Deployment.ACTIVE, Deployment.SHADOW})


@dataclass(frozen=True, slots=True)
class BrokenPackage:
    """A model package that cannot be used, and why."""

    folder: Path
    reason: str


@dataclass(frozen=True, slots=True)
class _Package:
    """A package whose manifest is valid."""

    folder: Path
    spec: ModelSpec

    @property
    def name(self) -> tuple[str, str]:
        """Id and version, which no two packages may share."""
        return self.spec.reference.model_id, self.spec.reference.version


@dataclass(frozen=True, slots=True)
class _Survey:
    """What was found at one moment, and what the log said of each version, present or not."""

    packages: tuple[_Package, ...]
    broken: tuple[BrokenPackage, ...]
    log: Mapping[ModelReference, Deployment]


def builtin_models_root() -> Path:
    """Give the folder of the model packages that come with the node."""
    return Path(str(files("models")))


class FolderCatalogue(ModelCatalogue):
    """The packages in given folders: ``<root>/<name>/manifest.toml`` and ``<root>/<id>/<version>/manifest.toml``.

    It follows a running node: every question looks at the folders and the log as they are now, and only a manifest
    that changed is read again. A broken package does not take the others down; it is listed in ``broken``. Packages
    that share id and version are all broken, for nobody could say which was meant.

    Parameters
    ----------
    roots
        Folders whose packages need no activation; one that does not exist counts as broken.
    store
        The folder of packages that a command added; what lies there does nothing until it is activated. It need not
        exist.
    log
        The decisions about the packages; None for a node without one, such as an offline run.
    """

    def __init__(self, roots: Sequence[Path], store: Path | None = None, log: DeploymentLog | None = None) -> None:
        self._store = store.resolve() if store is not None else None
        distinct = dict.fromkeys(root.resolve() for root in roots)
        self._roots = tuple(root for root in distinct if root != self._store)
        self._log = log
        self._read: dict[Path, tuple[object, _Package | BrokenPackage]] = {}
        self._lock = Lock()

    def active(self) -> Sequence[ModelSpec]:
        """List the models that run on what arrives, active and in shadow, in order of id."""
        return tuple(spec for spec in self.all() if spec.deployment in _RUNS)

    def get(self, model_id: str) -> ModelSpec:
        """Give the active version of a model.

        Raises
        ------
        ModelNotFound
            If no version is active.
        """
        for spec in self.all():
            if spec.reference.model_id == model_id and spec.deployment is Deployment.ACTIVE:
                return spec
        raise ModelNotFound("no active model of that name in the catalogue")

    def exactly(self, reference: ModelReference) -> ModelSpec:
        """Give one version of a model by its digest, also one that is not active.

        Raises
        ------
        ModelNotFound
            If it is not in the catalogue.
        ModelRecalled
            If it was recalled, whether its package is still there or not.
        """
        survey = self._survey()
        if survey.log.get(reference) is Deployment.RECALLED:
            raise ModelRecalled(f"model {reference.model_id} {reference.version} was recalled")
        return _package(survey, reference).spec

    def all(self) -> Sequence[ModelSpec]:
        """List every usable package with what the node does with it, in order of id and version."""
        return tuple(package.spec for package in self._survey().packages)

    def folder(self, reference: ModelReference) -> Path:
        """Give the folder of a package.

        Raises
        ------
        ModelNotFound
            If it is not in the catalogue.
        """
        return _package(self._survey(), reference).folder

    @property
    def broken(self) -> tuple[BrokenPackage, ...]:
        """The packages that cannot be used, and versions that should run but are not there."""
        return self._survey().broken

    def _survey(self) -> _Survey:
        """Look at the folders and the log."""
        events = self._log.events() if self._log is not None else ()
        found = [self._examined(manifest) for manifest in self._manifests()]
        packages = [package for package in found if isinstance(package, _Package)]
        count = Counter(package.name for package in packages)
        usable = [package for package in packages if count[package.name] == 1]
        decided = deployments({package.spec.reference: self._managed(package) for package in usable}, events)
        broken = [BrokenPackage(root, "no such folder") for root in self._roots if not root.is_dir()]
        broken += [package for package in found if isinstance(package, BrokenPackage)]
        broken += [_repeated(package) for package in packages if count[package.name] > 1]
        log = present(events)
        broken += _missing(log, decided)
        return _Survey(tuple(sorted((_deployed(x, decided) for x in usable), key=_order)), tuple(broken), log)

    def _manifests(self) -> Iterator[Path]:
        """List the manifests below each root; what lies inside a package belongs to it."""
        for root in self._roots if self._store is None else (*self._roots, self._store):
            for folder in _subfolders(root):
                inner = () if (folder / MANIFEST_NAME).is_file() else _subfolders(folder)
                yield from (path for x in (folder, *inner) if (path := x / MANIFEST_NAME).is_file())

    def _managed(self, package: _Package) -> bool:
        return self._store is not None and self._store in package.folder.parents

    def _examined(self, manifest: Path) -> _Package | BrokenPackage:
        """Read a manifest, again only if it changed."""
        try:
            status = manifest.stat()
        except OSError:
            return BrokenPackage(manifest.parent, "the manifest cannot be read")
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        with self._lock:
            known = self._read.get(manifest)
            if known is None or known[0] != state:
                known = self._read[manifest] = (state, _load(manifest))
        return known[1]


def _load(manifest: Path) -> _Package | BrokenPackage:
    try:
        return _Package(manifest.parent, load_manifest(manifest))
    except ModelContractViolated as error:
        return BrokenPackage(manifest.parent, error.message)


def _subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder, without hidden ones: a package that is being copied is not there yet."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _deployed(package: _Package, decided: Mapping[ModelReference, Deployment]) -> _Package:
    return replace(package, spec=replace(package.spec, deployment=decided[package.spec.reference]))


def _order(package: _Package) -> tuple[object, ...]:
    model_id, version = package.name
    return model_id, precedence(version)


def _package(survey: _Survey, reference: ModelReference) -> _Package:
    for package in survey.packages:
        if package.spec.reference == reference:
            return package
    raise ModelNotFound("no such version of the model in the catalogue")


def _repeated(package: _Package) -> BrokenPackage:
    return BrokenPackage(package.folder, f"several packages are {' '.join(package.name)}")


def _missing(
    log: Mapping[ModelReference, Deployment], there: Mapping[ModelReference, Deployment]
) -> Iterator[BrokenPackage]:
    """Name the versions that should run but whose package, or whose weights, are not here any more."""
    for reference, deployment in log.items():
        if deployment in _RUNS and reference not in there:
            reason = f"version {reference.version} ({reference.digest[:12]}) is {deployment} but not here"
            yield BrokenPackage(Path(reference.model_id), reason)
