"""Commands that tell what this node is and whether it can work."""

from __future__ import annotations

import sys

import click


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
