"""The command that synchronises patients by hand."""

from __future__ import annotations

import sys

import click


@click.command("sync-patients")
@click.option("--changed", is_flag=True, help="Only patients that changed since the last complete time.")
def sync_patients(changed: bool) -> None:
    """Bring the patients of archive and EMR to the report server, each once; exit 1 where some are missing."""
    from dicom_node.bootstrap import prepare
    from dicom_node.periodic_bootstrap import sync_by_hand

    report = sync_by_hand(prepare(), everything=not changed)
    for name, counts in report.items():
        said = ", ".join(f"{key} {value}" for key, value in counts.items() if isinstance(value, int))
        click.echo(f"{name}: {said}")
        for code, count in counts["failed"].items():
            click.echo(f"{name}: {count} refused ({code})", err=True)
        if counts["error"]:
            click.echo(f"{name}: ended early ({counts['error']})", err=True)
    sys.exit(1 if any(counts["failed"] or counts["error"] for counts in report.values()) else 0)
