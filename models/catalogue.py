"""Finding model packages in folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from inference.domain.model_spec import ModelSpec
from inference.errors import ModelContractViolated, ModelNotFound
from inference.ports import ModelCatalogue
from models.manifest import MANIFEST_NAME, load_manifest


@dataclass(frozen=True, slots=True)
class BrokenPackage:
    """A model package that cannot be used, and why."""

    folder: Path
    reason: str


def builtin_models_root() -> Path:
    """Give the folder of the model packages that come with the node."""
    return Path(str(files("models")))


class FolderCatalogue(ModelCatalogue):
    """The model packages in given folders: each subfolder that holds a ``manifest.toml`` is one.

    Read once, at construction: a node runs the models it started with. A broken package does not take the others
    down; it is listed in ``broken``. Packages that share an id are all broken, for nobody could say which was meant.

    Parameters
    ----------
    roots
        Folders to look in; one that does not exist counts as broken.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        loaded: list[tuple[Path, ModelSpec]] = []
        broken: list[BrokenPackage] = [BrokenPackage(root, "no such folder") for root in roots if not root.is_dir()]
        for manifest in _manifests(roots):
            try:
                loaded.append((manifest.parent, load_manifest(manifest)))
            except ModelContractViolated as error:
                broken.append(BrokenPackage(manifest.parent, error.message))
        count = Counter(spec.reference.model_id for _, spec in loaded)
        broken += [
            BrokenPackage(folder, f"several packages have the id {spec.reference.model_id}")
            for folder, spec in loaded
            if count[spec.reference.model_id] > 1
        ]
        unique = (spec for _, spec in loaded if count[spec.reference.model_id] == 1)
        self._models = {spec.reference.model_id: spec for spec in unique}
        self.broken: tuple[BrokenPackage, ...] = tuple(broken)

    def active(self) -> Sequence[ModelSpec]:
        """List usable models in order of id."""
        return tuple(self._models[model_id] for model_id in sorted(self._models))

    def get(self, model_id: str) -> ModelSpec:
        """Give one model.

        Raises
        ------
        ModelNotFound
            If it is not in the catalogue.
        """
        try:
            return self._models[model_id]
        except KeyError:
            raise ModelNotFound("no such model in the catalogue") from None


def _manifests(roots: Sequence[Path]) -> list[Path]:
    """List the manifests below each root, every folder once."""
    distinct = dict.fromkeys(root.resolve() for root in roots)
    return [path for root in distinct for path in sorted(root.glob(f"*/{MANIFEST_NAME}"))]
