"""What is shown of models: facts, card, whether the version proved itself, and what was decided about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from control_api.model_services import BrokenPackage, ModelServices
from inference.domain.deployment import DeploymentEvent
from inference.domain.job import ModelReference
from inference.domain.model_spec import ModelSpec
from inference.domain.verification import Verification
from inference.errors import ModelContractViolated, ModelNotFound
from models.card import card_text, find_picture, picture_names
from models.proof import subject_of


@dataclass(frozen=True, slots=True)
class ShownVerification:
    """A look at a version, and whether it is about the version as it is now.

    Parameters
    ----------
    look
        What was found.
    counts
        False where the manifest or the node changed since.
    """

    look: Verification
    counts: bool


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A version in a list.

    Parameters
    ----------
    spec
        What its manifest says, and what the node does with it.
    verification
        The latest look at it, None where nobody asked for one.
    """

    spec: ModelSpec
    verification: ShownVerification | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a card: its name, and the path at which it is given."""

    name: str
    href: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """Limits of the ratio between what is measured of two labels."""

    numerator: int
    denominator: int
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class ModelDetail:
    """All that is shown of a version.

    Parameters
    ----------
    entry
        As in the list.
    card
        The model card, Markdown.
    pictures
        The pictures that belong to it.
    added
        Whether it was added to the node and can be taken away again.
    """

    entry: ModelEntry
    card: str
    pictures: tuple[Picture, ...]
    added: bool

    @property
    def spec(self) -> ModelSpec:
        """What the manifest says."""
        return self.entry.spec

    @property
    def verification(self) -> ShownVerification | None:
        """The latest look at it."""
        return self.entry.verification

    @property
    def ratios(self) -> tuple[Ratio, ...]:
        """Limits of ratios of volumes."""
        return tuple(Ratio(*limits) for limits in self.spec.plausibility.ratios)

    @property
    def contrasts(self) -> tuple[Ratio, ...]:
        """Limits of ratios of mean source values."""
        return tuple(Ratio(*limits) for limits in self.spec.plausibility.contrasts)


@dataclass(frozen=True, slots=True)
class ModelList:
    """Every version, and what is broken."""

    models: Sequence[ModelEntry]
    broken: Sequence[BrokenPackage]


@dataclass(frozen=True, slots=True)
class ModelHistory:
    """The versions of one model, and what was decided about them, oldest first; also about those that are gone."""

    model_id: str
    versions: Sequence[ModelEntry]
    decisions: Sequence[DeploymentEvent]


def list_models(given: ModelServices) -> ModelList:
    """Give every version of every model."""
    return ModelList(_entries(given, given.packages.all()), given.packages.broken)


def history(given: ModelServices, model_id: str) -> ModelHistory:
    """Give one model.

    Raises
    ------
    ModelNotFound
        If this node never had it.
    """
    here = [spec for spec in given.packages.all() if spec.reference.model_id == model_id]
    decisions = [event for event in given.decisions.events() if event.model.model_id == model_id]
    if not here and not decisions:
        raise ModelNotFound(f"this node never had a model {model_id}")
    return ModelHistory(model_id, _entries(given, here), decisions)


def detail(given: ModelServices, model_id: str, version: str) -> ModelDetail:
    """Give one version with its card.

    Raises
    ------
    ModelNotFound
        If it is not here.
    """
    spec = version_of(given, model_id, version)
    folder = given.packages.folder(spec.reference)
    base = f"/api/models/{model_id}/{version}/pictures"
    pictures = tuple(Picture(name, f"{base}/{name}") for name in picture_names(folder))
    (entry,) = _entries(given, [spec])
    return ModelDetail(entry, card_text(folder), pictures, given.store.holds(spec.reference))


def picture(given: ModelServices, model_id: str, version: str, name: str) -> Path:
    """Give the file of a picture.

    Raises
    ------
    ModelNotFound
        If there is none of that name.
    """
    folder = given.packages.folder(version_of(given, model_id, version).reference)
    found = find_picture(folder, name)
    if found is None:
        raise ModelNotFound("the model's card has no such picture")
    return found


def verification(given: ModelServices, model_id: str, version: str) -> ShownVerification:
    """Give the latest look at a version.

    Raises
    ------
    ModelNotFound
        If it is not here, or nobody asked for one.
    """
    (entry,) = _entries(given, [version_of(given, model_id, version)])
    if entry.verification is None:
        raise ModelNotFound(f"nobody has asked for a verification of {model_id} {version}")
    return entry.verification


def version_of(given: ModelServices, model_id: str, version: str) -> ModelSpec:
    """Find a version.

    Raises
    ------
    ModelNotFound
        If it is not here.
    """
    for spec in given.packages.all():
        if (spec.reference.model_id, spec.reference.version) == (model_id, version):
            return spec
    raise ModelNotFound(f"no {model_id} {version} here")


def show(given: ModelServices, look: Verification) -> ShownVerification:
    """Say of a look whether it still counts."""
    return ShownVerification(look, _counts(given, look.subject.model, look))


def _entries(given: ModelServices, specs: Sequence[ModelSpec]) -> list[ModelEntry]:
    looks = given.verifications.latest()
    return [
        ModelEntry(spec, show(given, looks[spec.reference]) if spec.reference in looks else None) for spec in specs
    ]


def _counts(given: ModelServices, model: ModelReference, look: Verification) -> bool:
    try:
        return subject_of(model, given.packages.folder(model), given.node_version) == look.subject
    except (ModelNotFound, ModelContractViolated):
        return False
