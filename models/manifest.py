"""A model package's ``manifest.toml``: read strictly, checked as a whole, turned into the core's ModelSpec.

Every fault is reported at once, for a person who fixes a manifest wants to do it in one go.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from inference.domain.model_spec import ModelSpec
from inference.errors import ModelContractViolated
from models.manifest_checks import disagreements
from models.manifest_faults import describe, version_fault
from models.manifest_sections import Manifest

MANIFEST_NAME: Final = "manifest.toml"


def load_manifest(path: Path) -> ModelSpec:
    """Read a manifest.

    Parameters
    ----------
    path
        The ``manifest.toml``; the weights lie beside it.

    Raises
    ------
    ModelContractViolated
        Naming every fault.
    """
    read = read_manifest(path)
    if isinstance(read, ModelSpec):
        return read
    raise ModelContractViolated("; ".join(read))


def read_manifest(path: Path) -> ModelSpec | tuple[str, ...]:
    """Read a manifest, or say what is wrong with it, fault by fault.

    Parameters
    ----------
    path
        The ``manifest.toml``; the weights lie beside it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        return (f"the manifest cannot be read ({type(error).__name__})",)
    except tomllib.TOMLDecodeError as error:
        return (f"the manifest cannot be read as TOML: {error}",)
    old = version_fault(document)
    return (old,) if old is not None else _validated(document, path.parent)


def _validated(document: Mapping[str, Any], folder: Path) -> ModelSpec | tuple[str, ...]:
    try:
        manifest = Manifest.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        return tuple(describe(error, document))
    faults = tuple(disagreements(manifest))
    return faults or manifest.to_spec(folder)


class _PlainSchema(GenerateJsonSchema):
    """Without a title for every key: it would only repeat the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic asks for every key
        """Give no titles."""
        return False


def manifest_schema() -> dict[str, Any]:
    """Give the JSON Schema of a manifest, for editors and other programs.

    It knows every key, type and limit; what sections must say to each other only the node checks.
    """
    return {"$schema": _PlainSchema.schema_dialect, **Manifest.model_json_schema(schema_generator=_PlainSchema)}
