"""Commands that decide which models run; each says what it changed, and is safe to give again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from inference.domain.job import ModelReference
    from models.deployment import Change


@click.command("add")
@click.argument("package", type=click.Path(exists=True, path_type=Path))
def add(package: Path) -> None:
    """Copy the model package PACKAGE, a folder or a zip or tar archive, to this node; it does not run yet."""
    from dicom_node.bootstrap import build_deployment_places, build_model_store, prepare
    from models.installation import add_package

    settings = prepare()
    spec, added = add_package(build_deployment_places(settings), build_model_store(settings), package)
    name = _name(spec.reference)
    click.echo(f"{name} is {'added' if added else 'here already'}: {spec.title}, licence {spec.licence}")
    click.echo(f"to use it: dicom-node models activate {name}")


@click.command("activate")
@click.argument("model_id")
@click.argument("version", required=False)
def activate(model_id: str, version: str | None) -> None:
    """Let a version of the model MODEL_ID run, after a look at its golden numbers, instead of the one that does."""
    from dicom_node.bootstrap import build_deployment, prepare

    _tell(build_deployment(prepare()).activate(model_id, version))


@click.command("deactivate")
@click.argument("model_id")
@click.argument("version", required=False)
def deactivate(model_id: str, version: str | None) -> None:
    """Switch a version of the model MODEL_ID off, the active one where none is named."""
    from dicom_node.bootstrap import build_deployment, prepare

    _tell(build_deployment(prepare()).deactivate(model_id, version))


@click.command("shadow")
@click.argument("model_id")
@click.argument("version")
def shadow(model_id: str, version: str) -> None:
    """Let a version run beside the active one: its results are recorded, and not published."""
    from dicom_node.bootstrap import build_deployment, prepare

    _tell(build_deployment(prepare()).shadow(model_id, version))


@click.command("rollback")
@click.argument("model_id")
def rollback(model_id: str) -> None:
    """Go back to the version of the model MODEL_ID that was active before."""
    from dicom_node.bootstrap import build_deployment, prepare

    _tell(build_deployment(prepare()).roll_back(model_id))


@click.command("remove")
@click.argument("model_id")
@click.argument("version")
def remove(model_id: str, version: str) -> None:
    """Delete an added version that does not run and has no unfinished jobs."""
    from dicom_node.bootstrap import build_deployment_places, build_model_store, prepare
    from models.installation import remove_package

    settings = prepare()
    store = build_model_store(settings)
    click.echo(f"{_name(remove_package(build_deployment_places(settings), store, model_id, version))} is removed")


@click.command("recall")
@click.argument("model_id")
@click.argument("version")
@click.option("--reason", required=True, help="Why, for readers of its results; no patient data.")
def recall(model_id: str, version: str, reason: str) -> None:
    """Stop a faulty version for good, and withdraw every result that it published.

    Give it again to carry on with what could not be withdrawn.
    """
    from dicom_node.bootstrap import build_deployment_places, prepare
    from models.recall import recall as recall_version

    if not reason.strip():
        raise click.BadParameter("say why", param_hint="--reason")
    for recalled in recall_version(build_deployment_places(prepare()), model_id, version, reason):
        before = " before" if recalled.before else ""
        click.echo(f"{_name(recalled.model)} ({recalled.model.digest[:12]}) was recalled{before}")
        click.echo(f"{recalled.withdrawn} results are being withdrawn; GET /api/jobs?model={model_id} shows how far")


COMMANDS = (add, activate, deactivate, shadow, rollback, remove, recall)
"""For the group ``models``."""


def _tell(change: Change) -> None:
    name = _name(change.model)
    if change.before is change.after:
        click.echo(f"{name} is {change.after} already")
        return
    click.echo(f"{name} is {change.after} now; it was {change.before}")
    if change.instead_of is not None:
        click.echo(f"{_name(change.instead_of)} is inactive now")


def _name(reference: ModelReference) -> str:
    return f"{reference.model_id} {reference.version}"
