"""What is wrong with a manifest, in words for the person who writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from models.manifest_sections import Manifest, Section

SCHEMA_VERSION: Final = 2
PAGE: Final = "docs/model-packages.md"

Place: TypeAlias = Sequence[str | int]

_EARLIER: Final = (
    "schema_version: 1 was read by earlier nodes, this one reads 2. [weights] and its tensor names are now [graph], "
    "outputs a list, [selection] and the intensities are part of [[channels]], preprocess.localisation is now "
    f"preprocess.placement, and [output] names the kind; {PAGE} shows the whole"
)


def version_fault(document: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the version of the format, for then no other fault means anything; None for nothing.

    Parameters
    ----------
    document
        The manifest as TOML.
    """
    version = document.get("schema_version")
    if version == SCHEMA_VERSION:
        return None
    if version == 1:
        return _EARLIER
    return f"schema_version: this node reads {SCHEMA_VERSION}, the manifest says {version or 'nothing'}"


def describe(error: ValidationError, document: Mapping[str, Any]) -> list[str]:
    """Put every fault into words, as ``key: what is wrong``; a list of faulty entries is not called empty as well.

    Parameters
    ----------
    error
        What pydantic found.
    document
        The manifest as TOML, for the names of list entries.
    """
    faults = error.errors(include_url=False)
    deeper = {fault["loc"][:-depth] for fault in faults for depth in range(1, len(fault["loc"]))}
    telling = [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in deeper]
    return [f"{_key(fault['loc'], document)}: {_words(fault)}" for fault in telling]


def _key(place: Place, document: Mapping[str, Any]) -> str:
    """Write a place as a person looks for it: list entries by their name where they have one."""
    text, here = "", document
    for part in place:
        here = _entry(here, part)
        name = here.get("name") if isinstance(here, dict) else None
        entry = f'["{name}"]' if isinstance(name, str) else f"[{part}]"
        text += entry if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "manifest"


def _entry(table: Any, part: str | int) -> Any:
    try:
        return table[part]
    except (KeyError, IndexError, TypeError):
        return None


def _words(fault: Any) -> str:
    place, kind = fault["loc"], fault["type"]
    if kind == "extra_forbidden":
        return "unknown key" + _nearest(str(place[-1]), _section(place[:-1]))
    about = _description(place)
    if kind == "missing":
        return f"missing. {about}"
    if kind == "string_pattern_mismatch":
        value = str(fault["input"]).strip()
        return f'"{value[:80]}" will not do. {about}' if value else f"blank. {about}"
    if kind == "value_error":
        return str(fault["ctx"]["error"])
    return f"{fault['msg']}. {about}"


def _nearest(name: str, section: type[BaseModel] | None) -> str:
    near = get_close_matches(name, section.model_fields, n=1) if section is not None else []
    return f"; is {near[0]} meant?" if near else ""


def _description(place: Place) -> str:
    """Give what the key means, in one line."""
    names = [part for part in place if isinstance(part, str)]
    section = _section(names[:-1])
    field = section.model_fields.get(names[-1]) if section is not None and names else None
    return " ".join((field.description or "").split()) if field is not None else ""


def _section(place: Place) -> type[BaseModel] | None:
    """Give the section at a place."""
    section: type[BaseModel] | None = Manifest
    for part in place:
        if isinstance(part, str):
            field = section.model_fields.get(part) if section is not None else None
            section = _section_in(field) if field is not None else None
    return section


def _section_in(field: FieldInfo) -> type[BaseModel] | None:
    """Give the section that a field holds, alone or in a list."""
    kinds: Iterable[Any] = (field.annotation, *get_args(field.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)
