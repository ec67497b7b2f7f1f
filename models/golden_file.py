"""The file ``golden/golden.json`` of a model package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from inference.errors import ModelContractViolated
from models.golden_numbers import POSITIONS
from models.manifest_sections import Finite, NotNegative, Section

GOLDEN_FOLDER: Final = "golden"
GOLDEN_NAME: Final = "golden.json"
PATTERN: Final = "pattern"
"""The input that every package has; others are tensor files."""

_Count = Annotated[int, Field(ge=0)]


class Tolerance(Section):
    """How far another machine may be off."""

    absolute: NotNegative
    """A number may differ by this..."""
    relative: NotNegative
    """...and by this part of itself."""
    voxels: Annotated[float, Field(ge=0, le=1)]
    """Part of all voxels by which the count of a class may differ."""


class OutputNumbers(Section):
    """What one output tensor held."""

    name: str
    """Name of the tensor."""
    type: str
    """Its element type, e.g. `float32`."""
    shape: tuple[_Count, ...]
    """Its shape."""
    mean: Finite
    """Mean of all elements."""
    deviation: NotNegative
    """Standard deviation of all elements."""
    values: Annotated[tuple[Finite, ...], Field(max_length=POSITIONS)]
    """Elements at 64 fixed positions (``golden_numbers.samples``)."""
    voxels: tuple[_Count, ...] = ()
    """For a label map: voxels of each class, background first."""
    tolerance: Tolerance
    """How far another machine may be off."""


class GoldenCase(Section):
    """One input and what the graph said to it."""

    input: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    """`pattern`, or the name of a tensor file in the golden folder."""
    outputs: Annotated[tuple[OutputNumbers, ...], Field(min_length=1)]
    """The outputs in the manifest's order."""


class Golden(Section):
    """The golden numbers of a package."""

    schema_version: Literal[1]
    """Version of this format: 1."""
    sha256: str
    """Digest of the weights that they were made with."""
    made_with: str
    """Execution providers that they were made on."""
    cases: Annotated[tuple[GoldenCase, ...], Field(min_length=1)]
    """At least one."""


def write_golden(golden: Golden, folder: Path) -> Path:
    """Write a package's golden numbers, and give the file."""
    path = folder / GOLDEN_FOLDER / GOLDEN_NAME
    path.parent.mkdir(exist_ok=True)
    path.write_text(golden.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def read_golden(folder: Path) -> Golden:
    """Read a package's golden numbers.

    Raises
    ------
    ModelContractViolated
        If there are none, or the file is not as it should be.
    """
    try:
        return Golden.model_validate_json((folder / GOLDEN_FOLDER / GOLDEN_NAME).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelContractViolated(
            f"{GOLDEN_FOLDER}/{GOLDEN_NAME} cannot be read ({type(error).__name__})"
        ) from error
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise ModelContractViolated(
            f"{GOLDEN_FOLDER}/{GOLDEN_NAME} is not valid, first at {place or 'its start'}"
        ) from error
