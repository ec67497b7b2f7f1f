"""A model package's ``manifest.toml``: read strictly, checked as a whole, turned into the core's ModelSpec.

An unknown key is an error, for a misspelt limit would otherwise silently not hold; and every fault is reported at
once, for a person who fixes a manifest wants to do it in one go.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from inference.domain.codes import Code
from inference.domain.job import ModelReference
from inference.domain.model_spec import (
    LabelSpec,
    Localisation,
    ModelSpec,
    Normalisation,
    OutputKind,
    Plausibility,
    PreprocessSpec,
    Publication,
    SelectionRule,
)
from inference.errors import ModelContractViolated

MANIFEST_NAME = "manifest.toml"

_AXIS_OF = {"L": "x", "R": "x", "P": "y", "A": "y", "S": "z", "I": "z"}


def _regular_expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return value


def _three_axes(value: str) -> str:
    if len(value) != 3 or {_AXIS_OF.get(letter) for letter in value} != {"x", "y", "z"}:
        raise ValueError("three letters of RLAPSI, one per patient axis")
    return value


def _inside_package(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("a file inside the package folder")
    return value


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError("the first limit must be below the second")
    return value


_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Range = Annotated[tuple[_NotNegative, _Positive], AfterValidator(_ascending)]
_Byte = Annotated[int, Field(ge=0, le=255)]
_Text = Annotated[str, Field(min_length=1)]
_SideLength = Annotated[int, Field(ge=8, le=512)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Code(_Section):
    value: _Text
    scheme: _Text
    meaning: Annotated[str, Field(min_length=1, max_length=64)]

    def to_code(self) -> Code:
        """Give the code."""
        return Code(self.value, self.scheme, self.meaning)


class _Model(_Section):
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")]
    title: Annotated[str, Field(min_length=1, max_length=40)]
    intended_use: _Text
    licence: _Text
    manufacturer: _Text


class _Weights(_Section):
    file: Annotated[str, AfterValidator(_inside_package)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    input: _Text
    output: _Text


class _Selection(_Section):
    modality: _Text
    sequence: Annotated[str, Field(pattern="^T1$")] | None = None
    exclude_description: tuple[Annotated[str, AfterValidator(_regular_expression)], ...] = ()
    body_parts: frozenset[_Text] = frozenset()
    min_slices: Annotated[int, Field(ge=1)]
    max_slice_spacing_mm: _Positive


class _Preprocess(_Section):
    orientation: Annotated[str, AfterValidator(_three_axes)]
    spacing_mm: tuple[_Positive, _Positive, _Positive]
    shape: tuple[_SideLength, _SideLength, _SideLength]
    localisation: Localisation
    clip_percentile: Annotated[float, Field(gt=50, le=100)]
    normalisation: Normalisation


class _Output(_Section):
    kind: OutputKind


class _Label(_Section):
    value: Annotated[int, Field(ge=1, le=255)]
    name: _Text
    category: _Code
    type: _Code
    colour_rgb: tuple[_Byte, _Byte, _Byte]
    plausible_ml: _Range

    def to_label(self) -> LabelSpec:
        """Give the label."""
        lowest, highest = self.plausible_ml
        category, type_ = self.category.to_code(), self.type.to_code()
        return LabelSpec(self.value, self.name, category, type_, self.colour_rgb, lowest, highest)


class _Ratio(_Section):
    numerator: int
    denominator: int
    range: _Range


def _limits(ratios: tuple[_Ratio, ...]) -> tuple[tuple[int, int, float, float], ...]:
    return tuple((ratio.numerator, ratio.denominator, *ratio.range) for ratio in ratios)


class _Plausibility(_Section):
    total_ml: _Range
    ratios: tuple[_Ratio, ...] = ()
    contrasts: tuple[_Ratio, ...] = ()

    def to_plausibility(self) -> Plausibility:
        """Give the limits."""
        return Plausibility(self.total_ml, _limits(self.ratios), _limits(self.contrasts))


class _Publication(_Section):
    seg: bool
    sr: bool
    fhir: bool
    series_number: Annotated[int, Field(ge=1, le=9998)]
    procedure: _Code
    region: _Code


class _Manifest(_Section):
    schema_version: Annotated[int, Field(ge=1, le=1)]
    model: _Model
    weights: _Weights
    selection: _Selection
    preprocess: _Preprocess
    output: _Output
    plausibility: _Plausibility
    publication: _Publication
    labels: Annotated[tuple[_Label, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _labels_agree(self) -> Self:
        values = [label.value for label in self.labels]
        if values != list(range(1, len(values) + 1)):
            raise ValueError("label values must count up from 1 without a hole")
        if len({label.name for label in self.labels}) != len(values):
            raise ValueError("label names must differ")
        ratios = self.plausibility.ratios + self.plausibility.contrasts
        named = {value for ratio in ratios for value in (ratio.numerator, ratio.denominator)}
        if not named <= set(values):
            raise ValueError("a ratio names a label that does not exist")
        return self

    def to_spec(self, folder: Path) -> ModelSpec:
        """Give the model, whose weights lie beside the manifest."""
        model, weights = self.model, self.weights
        return ModelSpec(
            reference=ModelReference(model.id, model.version, weights.sha256),
            title=model.title,
            intended_use=model.intended_use,
            licence=model.licence,
            manufacturer=model.manufacturer,
            weights=folder / weights.file,
            input_name=weights.input,
            output_name=weights.output,
            selection=SelectionRule(**dict(self.selection)),
            preprocess=PreprocessSpec(**dict(self.preprocess)),
            output=self.output.kind,
            labels=tuple(label.to_label() for label in self.labels),
            plausibility=self.plausibility.to_plausibility(),
            publication=self._publication(),
        )

    def _publication(self) -> Publication:
        publication = self.publication
        codes = {"procedure": publication.procedure.to_code(), "region": publication.region.to_code()}
        return Publication(**{**dict(publication), **codes})


def load_manifest(path: Path) -> ModelSpec:
    """Read and check one manifest.

    The weights file is not opened here: a node lists its models quickly, and the engine verifies the weights before
    it loads them.

    Parameters
    ----------
    path
        The ``manifest.toml``; the weights are sought in its folder.

    Raises
    ------
    ModelContractViolated
        If the file cannot be read or breaks the schema; the message lists every fault.
    """
    package = path.parent.name
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelContractViolated(f"model package {package}: the manifest cannot be read: {error}") from error
    try:
        return _Manifest.model_validate(content).to_spec(path.parent)
    except ValidationError as error:
        faults = "; ".join(_describe(fault["loc"], fault["msg"]) for fault in error.errors())
        raise ModelContractViolated(f"model package {package}: {faults}") from error


def _describe(location: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, location)) or 'manifest'}: {message}"
