"""Commands that serve: all of the node, or one of its processes."""

from __future__ import annotations

import os
import sys
from typing import Final

import click

from dicom_node.signals import stop_on_signals
from inference.domain.job import QueueName

INFERENCE_NICENESS: Final = 5
"""An analysis takes seconds on all cores; whoever sends images or looks at a page on the same machine goes first."""


@click.command()
def up() -> None:
    """Run the whole node: receiver, workers and API (the embedded default needs no server)."""
    from dicom_node.bootstrap import prepare, supervisor

    settings = prepare()
    click.echo(f"DICOM  {settings.ae_title}@{settings.dicom_host}:{settings.dicom_port}")
    click.echo(f"HTTP   http://{settings.api_host}:{settings.api_port}/  (API docs: /api/docs/)")
    supervisor().run(stop_on_signals())


@click.command()
def receive() -> None:
    """Run the receiver: C-STORE SCP, spool and assembler."""
    from dicom_node.bootstrap import build_receiver, prepare

    build_receiver(prepare()).run(stop_on_signals())


@click.command()
@click.option(
    "--queue", type=click.Choice([q.value for q in QueueName]), required=True, help="Which queue to work on."
)
@click.option("--threads", default=1, show_default=True, help="Jobs at once; inference should keep to one per GPU.")
def work(queue: str, threads: int) -> None:
    """Run a worker: inference (models stay warm) or delivery (archive and report)."""
    from dicom_node.bootstrap import build_worker, prepare

    process = build_worker(prepare(), QueueName(queue), threads)
    if queue == QueueName.INFERENCE:
        os.nice(INFERENCE_NICENESS)
    process.run(stop_on_signals())


@click.command()
@click.option("--workers", default=1, show_default=True, help="gunicorn worker processes.")
def api(workers: int) -> None:
    """Run the control API under gunicorn."""
    from dicom_node.bootstrap import prepare

    settings = prepare()
    arguments = [
        sys.executable, "-m", "gunicorn", "control_api.wsgi:create()",
        "--bind", f"{settings.api_host}:{settings.api_port}", "--workers", str(workers),
        "--worker-class", "gthread", "--threads", "24", "--timeout", "120", "--graceful-timeout", "20",
        "--no-control-socket",
    ]  # fmt: skip
    os.execv(sys.executable, arguments)  # noqa: S606 - gunicorn takes this process over


@click.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from dicom_node.bootstrap import prepare

    prepare()
    click.echo("schema is up to date")
