"""Commands that tell what this node is and whether it can work."""

from __future__ import annotations

import sys

import click


@click.group()
def models() -> None:
    """Look at the model packages."""


@models.command("list")
def list_models() -> None:
    """List models with version and digest, and packages that cannot be used with their error."""
    from dicom_node.bootstrap import build_catalogue, load_offline

    catalogue = build_catalogue(load_offline())
    for spec in catalogue.active():
        reference = spec.reference
        click.echo(f"{reference.model_id}\t{reference.version}\t{reference.digest[:12]}\t{spec.title}")
    for package in catalogue.broken:
        click.echo(f"{package.folder.name}\tunusable\t{package.reason}", err=True)


@models.command("verify")
def verify_models() -> None:
    """Check every model's manifest, weights and graph; exit 1 when a package cannot be used."""
    from dicom_node.bootstrap import load_offline
    from dicom_node.doctor import examine_models

    findings = examine_models(load_offline())
    for finding in findings:
        click.echo(f"{finding.name}: {finding.detail}", err=not finding.good)
    sys.exit(0 if all(finding.good for finding in findings) else 1)


@click.command()
def conformance() -> None:
    """Print the DICOM conformance statement (PS3.2) of this node as it is configured."""
    from dicom_node.bootstrap import load_offline
    from dicom_node.conformance import statement

    click.echo(statement(load_offline()))


@click.command()
def doctor() -> None:
    """Check settings, database, queue, models, disk and peers; exit 1 when something is wrong."""
    from dicom_node.bootstrap import load
    from dicom_node.doctor import examine

    findings = examine(load())
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'FAIL'}  {finding.name}: {finding.detail}")
    sys.exit(0 if all(finding.good for finding in findings) else 1)
