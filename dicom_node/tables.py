"""Results as tables in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def series_table(document: Mapping[str, Any]) -> None:
    """Print the decisions and measurements of an ``infer`` document; brackets in a description are no markup.

    Parameters
    ----------
    document
        ``{"series": [...]}`` of ``dicom_node.infer``.
    """
    console = Console()
    table = Table(title="Series")
    for column in ("description", "modality", "instances", "decision", "reason or model"):
        table.add_column(column)
    for entry in document["series"]:
        why = entry["reason"]["message"] if entry["reason"] else f"{entry['model']['id']} {entry['model']['version']}"
        cells = (entry["description"], entry["modality"], str(entry["instances"]), entry["decision"], why)
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    for entry in document["series"]:
        if entry["measurements"]:
            console.print(volume_table(entry["measurements"], {}))


def inspection_table(document: Mapping[str, Any]) -> None:
    """Print an ``inspect`` document: a row for each series, and below it the files that belong to none.

    Parameters
    ----------
    document
        ``{"series": [...], "skipped": [...]}`` of ``dicom_node.inspect_folder``.
    """
    console = Console()
    table = Table(title="Series", show_lines=True)
    for column in ("description", "images", "geometry", "models"):
        table.add_column(column, overflow="fold")
    for entry in document["series"]:
        images = f"{entry['modality']}\n{entry['instances']} {'file' if entry['instances'] == 1 else 'files'}"
        geometry = "\n".join(map(_geometry, entry["stacks"])) or "none"
        cells = (entry["description"], images, geometry, "\n".join(_verdicts(entry)))
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    for skipped in document["skipped"]:
        console.print(Text(f"skipped {skipped['file']}: {skipped['reason']}"))


def _geometry(stack: Mapping[str, Any]) -> str:
    """Say in a few words how the slices of a stack lie."""
    rows, columns = stack["matrix"]
    row_mm, column_mm = stack["pixel_spacing_mm"]
    parts = [f"stack {stack['name']}"] if stack["name"] not in {"", "1"} else []
    slices = "slice" if stack["slices"] == 1 else "slices"
    parts.append(f"{stack['slices']} {stack['plane'] or 'oblique'} {slices} of {rows} x {columns}")
    parts.append(f"pixels {row_mm:g} x {column_mm:g} mm")
    if stack["slice_spacing_mm"] is not None:
        parts.append(f"{stack['slice_spacing_mm']:g} mm apart")
    if stack["tilt_degrees"]:
        parts.append(f"gantry tilt {stack['tilt_degrees']:g}°")
    if stack["missing_slices"]:
        parts.append(f"{stack['missing_slices']} missing")
    if stack["echo_times_ms"]:
        parts.append(f"{len(stack['echo_times_ms'])} echoes")
    if stack["time_points"] > 1:
        parts.append(f"{stack['time_points']} time points")
    if stack["reason"]:
        parts.append(_why(stack["reason"]))
    return ", ".join(parts)


def _verdicts(entry: Mapping[str, Any]) -> list[str]:
    """Say for each model whether it wants a series, and why not; or why none does."""
    if entry["reason"]:
        return [_why(entry["reason"])]
    lines = []
    for model in entry["models"]:
        name = f"{model['id']} {model['version']}"
        lines.append(f"{name}: yes" if model["matches"] else f"{name}: no, {_why(model['reason'])}")
        lines += model["warnings"]
    return lines or ["this node has no active model"]


def _why(reason: Mapping[str, str]) -> str:
    return f"{reason['message']} ({reason['code']})"


def volume_table(measurements: Sequence[Mapping[str, Any]], truth_ml: Mapping[str, float]) -> Table:
    """Lay out measured volumes, beside the true ones where they are known.

    Parameters
    ----------
    measurements
        ``label``, ``value`` and ``unit`` of each.
    truth_ml
        True volume in mL by label; empty when nobody knows it.
    """
    table = Table(title="Structures")
    table.add_column("structure")
    table.add_column("measured", justify="right")
    if truth_ml:
        table.add_column("true", justify="right")
        table.add_column("difference", justify="right")
    for measurement in measurements:
        row = [measurement["label"], f"{measurement['value']:.1f} {measurement['unit']}"]
        true = truth_ml.get(measurement["label"])
        if true:
            row += [f"{true:.1f} mL", f"{100 * (measurement['value'] / true - 1):+.0f} %"]
        table.add_row(*row)
    return table


def stage_table(stages: Sequence[Mapping[str, Any]]) -> Table:
    """Lay out the stage times of a job, seconds.

    Parameters
    ----------
    stages
        ``stage`` and ``seconds`` of each, in order.
    """
    table = Table(title="Stage times")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for stage in stages:
        table.add_row(stage["stage"], f"{stage['seconds']:.2f}")
    table.add_row("sum", f"{sum(stage['seconds'] for stage in stages):.2f}")
    return table
