"""Readiness: each part that the node needs is tried, and each is named in the answer."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from control_api.services import Probe
from inference.errors import NodeError, SpoolFull


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the node, and whether it works."""

    name: str
    ready: bool
    detail: str | None


def check(probes: Mapping[str, Probe]) -> tuple[Part, ...]:
    """Try every part; one that fails does not hide the others."""
    return tuple(_try(name, probe) for name, probe in probes.items())


def _try(name: str, probe: Probe) -> Part:
    try:
        probe()
    except NodeError as error:
        return Part(name, ready=False, detail=error.message)
    except Exception as error:  # noqa: BLE001 - the Flask border: a broken part is the answer, not a failure of it
        structlog.get_logger(__name__).warning("readiness.failed", part=name, error=type(error).__qualname__)
        return Part(name, ready=False, detail="does not answer as it should")
    return Part(name, ready=True, detail=None)


def disk_probe(folder: Path, reserve_bytes: int) -> Probe:
    """Make a probe that fails when less than the reserve is free.

    Parameters
    ----------
    folder
        On the disk in question.
    reserve_bytes
        What must stay free.
    """

    def probe() -> None:
        """Ask whether the reserve is free."""
        if shutil.disk_usage(folder).free < reserve_bytes:
            raise SpoolFull("less free disk space than the reserve")

    return probe
