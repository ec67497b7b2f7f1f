"""Commands about model packages."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicom_node.commands.deployments import COMMANDS

if TYPE_CHECKING:
    from inference.ports import ModelRunner
    from models.catalogue import FolderCatalogue


@click.group()
def models() -> None:
    """Look at the model packages, and decide which of them run."""


for command in COMMANDS:
    models.add_command(command)


@models.command("list")
def list_models() -> None:
    """List models with version, digest and deployment, and packages that cannot be used with their error."""
    from dicom_node.bootstrap import build_catalogue, load_offline

    catalogue = build_catalogue(load_offline())
    for spec in catalogue.all():
        reference = spec.reference
        cells = (reference.model_id, reference.version, reference.digest[:12], spec.deployment, spec.title)
        click.echo("\t".join(cells))
    for package in catalogue.broken:
        click.echo(f"{package.folder.name}\tunusable\t{package.reason}", err=True)


@models.command("verify")
@click.argument("package", required=False)
def verify_models(package: str | None) -> None:
    """Check manifest, model card, weights, graph and golden numbers; exit 1 when something is wrong.

    PACKAGE is a package folder, or the id of a model whose versions are checked; all packages without it.
    """
    from dicom_node.bootstrap import build_catalogue, build_runner, load_offline

    settings = load_offline()
    runner = build_runner(settings)
    if package is not None and Path(package).is_dir():
        faults = list(_verified([Path(package)], runner))
    else:
        faults = list(_verified_here(build_catalogue(settings), package, runner))
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(1 if faults else 0)


@models.command("golden")
@click.argument("package", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tolerance", type=click.FloatRange(0, 1), help="How far another machine may be off, as a part.")
def golden(package: Path, tolerance: float | None) -> None:
    """Write the golden numbers of the package in the folder PACKAGE, as its graph computes them on this CPU."""
    from inference.engine import EngineOptions, OnnxModelRunner
    from models.golden import make_golden
    from models.golden_file import write_golden
    from models.manifest import MANIFEST_NAME, load_manifest
    from models.weights import verify

    spec = load_manifest(package / MANIFEST_NAME)
    runner = OnnxModelRunner(EngineOptions(provider="cpu", verify=verify))
    made = make_golden(spec, package, runner, tolerance)
    click.echo(
        f"{write_golden(made, package)}: what the graph says to {', '.join(case.input for case in made.cases)}"
    )


@models.command("schema")
def schema() -> None:
    """Print the JSON Schema of a manifest."""
    from models.manifest import manifest_schema

    click.echo(json.dumps(manifest_schema(), indent=2, ensure_ascii=False))


def _verified(folders: list[Path], runner: ModelRunner) -> Iterator[str]:
    """Give the faults of packages as lines, and say which are in order."""
    from models.inspection import verify_package

    for folder in folders:
        faults = verify_package(folder, runner)
        yield from map(str, faults)
        if not faults:
            click.echo(f"{folder.resolve()}: manifest, model card, weights, graph and golden numbers are in order")


def _verified_here(catalogue: FolderCatalogue, model_id: str | None, runner: ModelRunner) -> Iterator[str]:
    """Give the faults of this node's packages, of one model or of all; a recalled one is not run again."""
    from inference.domain.model_spec import Deployment
    from inference.errors import ModelNotFound

    wanted = [spec for spec in catalogue.all() if model_id in {None, spec.reference.model_id}]
    broken = [package for package in catalogue.broken if model_id in {None, package.folder.name}]
    if model_id is not None and not wanted and not broken:
        raise ModelNotFound("no package folder, and no model in the catalogue, of that name")
    checked = [spec.reference for spec in wanted if spec.deployment is not Deployment.RECALLED]
    yield from _verified([catalogue.folder(reference) for reference in checked], runner)
    yield from (f"{package.folder.name}: {package.reason}" for package in broken)
