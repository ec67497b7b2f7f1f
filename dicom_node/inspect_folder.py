"""``dicom-node inspect``: what a folder of DICOM holds and what the node would make of it, without running anything.

The JSON document is a stable contract (docs/inspect.md). It is made from headers alone, by the same rules by which a
running node decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dicom_node.folder_scan import scan
from dicom_node.verdicts import failure_of
from inference.attributes import integer, text
from inference.domain.charsets import CharacterSets
from inference.domain.model_spec import ChannelSpec, ModelSpec, SliceRule
from inference.domain.series_header import SeriesHeader, StackHeader
from inference.domain.study import SeriesRevision
from inference.errors import NodeError, UnsupportedGeometry
from inference.exclusions import excluded
from inference.frames import frames_of
from inference.headers import InstanceHeader, read_headers
from inference.ports import ModelCatalogue
from inference.reading import describe
from inference.selection import best_stack, fits, refusal_of
from inference.slices import DEFAULT_RULE, missing_slices
from inference.stacks import Stack, distances_refusal, flaw_refusal, repetition_refusal, stacks_of
from inference.volume_builder import lay_out

UPRIGHT_DEGREES = 0.1
"""A step between slices that is off their normal by less is no tilt, but rounding."""

ANY_GAP = SliceRule(missing_slices=10**6)
"""Accepts any number of missing slices, so that they can be counted."""


@dataclass(frozen=True, slots=True)
class Inspector:
    """What an inspection needs.

    Parameters
    ----------
    catalogue
        The models.
    charsets
        What is assumed of files that name no character set.
    """

    catalogue: ModelCatalogue
    charsets: CharacterSets


def inspect_folder(folder: Path, inspector: Inspector) -> dict[str, Any]:
    """Look into every series of a folder.

    Parameters
    ----------
    folder
        DICOM files, searched recursively; only read.
    inspector
        Models and character sets.

    Returns
    -------
    dict
        ``{"series": [...], "skipped": [...]}``: what each series is, how its slices lie, and for each model that runs
        on this node whether it wants the series, or the reason why not; and the files that belong to no series.
    """
    found = scan(folder)
    return {
        "series": [_inspect(series, inspector) for series in found.series],
        "skipped": [{"file": str(file.path.relative_to(folder)), "reason": file.reason} for file in found.skipped],
    }


def _inspect(series: SeriesRevision, inspector: Inspector) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "study_uid": series.study_instance_uid,
        "series_uid": series.series_instance_uid,
        "instances": len(series.instances),
        "transfer_syntaxes": sorted({instance.transfer_syntax_uid for instance in series.instances}),
        "sop_classes": sorted({instance.identity.sop_class_uid for instance in series.instances}),
    }
    try:
        headers = read_headers(series.instances, inspector.charsets.of(series.calling_ae))
        return entry | _described(headers, inspector.catalogue.active())
    except Exception as error:  # noqa: BLE001 - the command's border: one series must not cost the others
        unread = {"description": "", "modality": "", "character_set": "", "stacks": [], "models": []}
        return entry | unread | {"reason": _reason(error)}


def _described(headers: Sequence[InstanceHeader], models: Sequence[ModelSpec]) -> dict[str, Any]:
    header = describe(headers)
    refusal = excluded(header)
    stacks = stacks_of(frames_of(headers))
    return {
        "description": header.series_description,
        "modality": header.modality,
        "character_set": text(headers[0].data_set, "SpecificCharacterSet"),
        "stacks": [
            _stack(stack, facts, headers) for stack, facts in zip(stacks, header.stacks, strict=True) if stack.planes
        ],
        "reason": None if refusal is None else _reason(refusal),
        "models": [] if refusal is not None else [_model(spec, header, headers) for spec in models],
    }


def _stack(stack: Stack, facts: StackHeader, headers: Sequence[InstanceHeader]) -> dict[str, Any]:
    plane = stack.planes[0]
    data_set = headers[stack.frames[0].instance].data_set
    return {
        "name": facts.name,
        "frames": facts.frame_count,
        "slices": facts.slice_count,
        "matrix": [integer(data_set, "Rows"), integer(data_set, "Columns")],
        "pixel_spacing_mm": [round(plane.row_mm, 4), round(plane.column_mm, 4)],
        "slice_spacing_mm": None if facts.slice_spacing_mm is None else round(facts.slice_spacing_mm, 4),
        "plane": facts.plane.value if facts.plane else None,
        "tilt_degrees": _tilt_degrees(stack),
        "missing_slices": _missing(facts),
        "echo_times_ms": list(facts.echo_times_ms),
        "time_points": facts.time_points,
        "reason": _stack_reason(facts),
    }


def _tilt_degrees(stack: Stack) -> float:
    """Give the angle between the way from slice to slice and the normal of the slices; 0 where there is but one."""
    planes = sorted(stack.planes, key=lambda plane: float(plane.position_mm @ stack.planes[0].normal))
    way = planes[-1].position_mm - planes[0].position_mm
    length = float(np.linalg.norm(way))
    if length == 0:
        return 0.0
    cosine = abs(float(way @ planes[0].normal)) / length
    degrees = math.degrees(math.acos(min(1.0, cosine)))
    return round(degrees, 1) if degrees > UPRIGHT_DEGREES else 0.0


def _missing(facts: StackHeader) -> int | None:
    """Count the slices that are missing inside; None where there are no distances, or uneven ones."""
    if not facts.gaps_mm:
        return None
    try:
        return sum(missing_slices(facts.gaps_mm, ANY_GAP))
    except UnsupportedGeometry:
        return None


def _stack_reason(facts: StackHeader) -> dict[str, str] | None:
    """Give what keeps a stack from being a volume for a model that asks for nothing special."""
    refusal = flaw_refusal(facts) or repetition_refusal(facts, DEFAULT_RULE) or distances_refusal(facts, DEFAULT_RULE)
    return None if refusal is None else _reason(refusal)


def _model(spec: ModelSpec, header: SeriesHeader, headers: Sequence[InstanceHeader]) -> dict[str, Any]:
    named = {
        "id": spec.reference.model_id,
        "version": spec.reference.version,
        "deployment": spec.deployment.value,
    }
    wanting = [channel for channel in spec.channels if fits(header, channel.selection)]
    refusal: NodeError | None = refusal_of(header, spec)
    warnings: tuple[str, ...] = ()
    if wanting:
        refusal, warnings = _laid_out(wanting[0], header, headers)
    return named | {
        "channels": [channel.name for channel in wanting],
        "matches": refusal is None,
        "reason": None if refusal is None else _reason(refusal),
        "warnings": list(warnings),
    }


def _laid_out(
    channel: ChannelSpec, header: SeriesHeader, headers: Sequence[InstanceHeader]
) -> tuple[NodeError | None, tuple[str, ...]]:
    """Give what the volume builder would say before it reads a pixel: a refusal, or what a reader should know."""
    stack = best_stack(header, channel.selection)
    try:
        return None, lay_out(headers, channel.selection.slices, stack.name).warnings
    except NodeError as error:
        return error, ()


def _reason(error: Exception) -> dict[str, str]:
    failure = failure_of(error)
    return {"code": failure.code, "message": failure.message}
