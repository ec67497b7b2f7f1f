"""Commands that need no running node: look into a folder, analyse it, show what the node does."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("study_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where results go.")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON document instead of a table.")
def infer(study_dir: Path, out: Path, as_json: bool) -> None:
    """Analyse a folder of DICOM offline: SEG, SR and FHIR bundle per series, and a decision for each."""
    from dicom_node.bootstrap import build_offline, load_offline
    from dicom_node.infer import infer_folder

    document, notes = infer_folder(study_dir, out, build_offline(load_offline()))
    for note in notes:
        click.echo(f"skipped {note}", err=True)
    if as_json:
        _print_json(document)
        return
    from dicom_node.tables import series_table

    series_table(document)


@click.command()
@click.argument("study_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the JSON document instead of a table.")
def inspect(study_dir: Path, as_json: bool) -> None:
    """Say what a folder of DICOM holds, how its slices lie and which models want it, without running anything."""
    from dicom_node.bootstrap import build_inspector, load_offline
    from dicom_node.inspect_folder import inspect_folder

    document = inspect_folder(study_dir, build_inspector(load_offline()))
    if as_json:
        _print_json(document)
        return
    from dicom_node.tables import inspection_table

    inspection_table(document)


def _print_json(document: Mapping[str, Any]) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    click.echo()


@click.command()
@click.option("--study", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="STUDY",
              help="Send this folder instead of the built-in phantom.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"),
              show_default=True, help="Where the demonstration keeps its node and results.")  # fmt: skip
@click.option("--viewer", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Serve OHIF from this folder, as `make viewer` makes it.")  # fmt: skip
def demo(study: Path | None, out: Path, viewer: Path | None) -> None:
    """Start an embedded node, send a study over C-STORE, and show what comes back."""
    from dicom_node.demo.run import run_demo

    run_demo(study, out, keep_serving=sys.stdout.isatty(), viewer=viewer)
