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
