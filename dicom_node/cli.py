"""The command line, ``dicom-node``."""

from __future__ import annotations

import sys

import click

from dicom_node import __version__
from dicom_node.commands.diagnose import conformance, doctor
from dicom_node.commands.master_data import master_data
from dicom_node.commands.models import models
from dicom_node.commands.offline import demo, infer, inspect
from dicom_node.commands.patients import sync_patients
from dicom_node.commands.serve import api, migrate, receive, up, work
from dicom_node.commands.users import users
from inference.errors import ConfigurationError, NodeError

EX_CONFIG = 78
"""Exit status for a fault in the configuration (sysexits.h)."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dicom-node")
def cli() -> None:
    """NeuroNova Node: a study arrives, its result is in the PACS, in FHIR and in the API."""


for command in (up, demo, receive, work, api, infer, inspect, models, migrate, users, conformance, doctor):
    cli.add_command(command)
cli.add_command(master_data)
cli.add_command(sync_patients)


def main() -> None:
    """Run a command; a NodeError is one line for a person, and faulty settings exit with 78."""
    try:
        cli(prog_name="dicom-node")
    except ConfigurationError as error:
        click.echo(f"dicom-node: {error.message}", err=True)
        sys.exit(EX_CONFIG)
    except NodeError as error:
        click.echo(f"dicom-node: {error.code}: {error.message}", err=True)
        sys.exit(1)
