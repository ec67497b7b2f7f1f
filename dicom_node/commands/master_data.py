"""Commands about medications, diagnoses and laboratory tests."""

from __future__ import annotations

import click


@click.group("master-data")
def master_data() -> None:
    """Manage medications, diagnoses and laboratory tests."""


@master_data.command("seed")
def seed() -> None:
    """Enter a set to begin with; what is there already stays as it is."""
    from dicom_node.bootstrap import build_master_data, prepare
    from integrations.masterdata.kinds import KINDS
    from integrations.masterdata.seeds import seed_rows

    kept = build_master_data(prepare())
    for kind in KINDS:
        report = kept.take_over(kind, seed_rows(kind), only_new=True)
        click.echo(f"{kind.name}: {report.created} entered, {report.unchanged} there already")
