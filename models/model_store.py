"""The folder of the packages that a person added, by command or by the API: ``<store>/<id>/<version>/``."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from inference.domain.job import ModelReference
from inference.domain.model_spec import ModelSpec
from inference.errors import DeploymentRefused, ModelContractViolated, StoreUnavailable
from models.inspection import MODEL_CARD
from models.manifest import MANIFEST_NAME, read_manifest
from models.package_files import LIMITS, PackageLimits, copy_package
from models.weights import verify

_STAGING: Final = ".incoming-"
_FORGOTTEN_SECONDS: Final = 86400
"""Nobody takes so long to bring a package."""
_READABLE: Final = 0o755
"""Mode of a package's folder: who adds it and who serves may be different users."""


class DurableFolders(Protocol):
    """What makes folders survive a power cut (``integrations.durable_files``, which this ring may not import)."""

    def make_folder_durably(self, folder: Path) -> None:
        """Make a folder and its missing parents, durably."""

    def fsync_folder(self, folder: Path) -> None:
        """Make the entries of a folder durable."""


class ModelStore:
    """Keeps packages; what is in its folder is complete, also after a power cut.

    Parameters
    ----------
    root
        The folder; made when the first package comes.
    folders
        Makes them durable.
    """

    def __init__(self, root: Path, folders: DurableFolders) -> None:
        self._root = root
        self._folders = folders

    def add(
        self, source: Path, refuse: Callable[[ModelSpec], None], limits: PackageLimits = LIMITS
    ) -> tuple[ModelSpec, bool]:
        """Copy a package into the store, once it is known to be in order.

        Parameters
        ----------
        source
            A folder, or a zip or tar archive.
        refuse
            Raises if this node cannot take the version.
        limits
            How much it may hold.

        Returns
        -------
        spec : ModelSpec
            The model.
        added : bool
            False if the very same package is here already.

        Raises
        ------
        ModelContractViolated
            If it is no package, or something about its files is not in order.
        WeightsMismatch
            If the weights are not those of the manifest.
        DeploymentRefused
            If other content is here under the same id and version.
        StoreUnavailable
            If it cannot be read or written.
        """
        with self.staging() as folder:
            package = copy_package(source, folder, limits)
            spec = _checked(package)
            refuse(spec)
            return spec, self._settle(package, spec.reference)

    def holds(self, reference: ModelReference) -> bool:
        """Tell whether a version is in the store."""
        return self._place(reference).is_dir()

    def remove(self, reference: ModelReference) -> None:
        """Take a package out of the store.

        Raises
        ------
        DeploymentRefused
            If it is not in the store: it came with the node, or lies in a folder of somebody else's.
        StoreUnavailable
            If it cannot be removed.
        """
        place = self._place(reference)
        if not self.holds(reference):
            raise DeploymentRefused(f"{_name(reference)} was not added by `models add`: remove its folder by hand")
        with self.staging() as folder:
            place.rename(folder / "removed")  # gone at once for whoever looks, before its files are deleted
            self._folders.fsync_folder(place.parent)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give a folder in the store that no catalogue looks into, and remove it with what is in it.

        Raises
        ------
        StoreUnavailable
            If the store cannot be read or written.
        """
        try:
            self._folders.make_folder_durably(self._root)
            folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self._root))
            self._sweep(folder)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise StoreUnavailable(
                f"the package cannot be kept ({error.strerror or type(error).__name__})"
            ) from error

    def _sweep(self, present: Path) -> None:
        """Remove what processes left that ended in the middle; the new folder tells what time it is."""
        now = present.stat().st_mtime
        for folder in self._root.glob(f"{_STAGING}*"):
            if now - folder.stat().st_mtime > _FORGOTTEN_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def _settle(self, package: Path, reference: ModelReference) -> bool:
        place = self._place(reference)
        if place.exists():
            if _content(place) != _content(package):
                raise DeploymentRefused(f"{_name(reference)} is here with other content: give it a new version")
            return False
        for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
            self._folders.fsync_folder(folder)
        self._folders.make_folder_durably(place.parent)
        package.chmod(_READABLE)
        package.rename(place)
        self._folders.fsync_folder(place.parent)
        return True

    def _place(self, reference: ModelReference) -> Path:
        return self._root / reference.model_id / reference.version


def _checked(package: Path) -> ModelSpec:
    """Check all that can be checked without running the model."""
    read = read_manifest(package / MANIFEST_NAME)
    faults = [] if isinstance(read, ModelSpec) else list(read)
    if not _has_text(package / MODEL_CARD):
        faults.append(f"the package has no {MODEL_CARD}, which says what the model is for")
    if faults or not isinstance(read, ModelSpec):
        raise ModelContractViolated("; ".join(faults), faults)
    verify(read)
    return read


def _has_text(path: Path) -> bool:
    return path.is_file() and bool(path.read_bytes().strip())


def _content(folder: Path) -> dict[str, str]:
    """Give the digest of every file by its path."""
    found = {}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _name(reference: ModelReference) -> str:
    return f"{reference.model_id} {reference.version}"
