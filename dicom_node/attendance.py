"""A process says that it lives, on which machine, and how that machine does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from inference.domain.node_report import WorkerReport
from inference.errors import NodeError
from inference.ports import Clock
from integrations.machine import gpu_facts

BEAT_SECONDS = 10.0
"""Time between two reports."""

Facts = Callable[[], Mapping[str, Any]]


class Device(Protocol):
    """Runs models somewhere."""

    def device(self) -> str:
        """Name the execution provider; raises where it cannot be had."""


def device_facts(runner: Device) -> Mapping[str, Any]:
    """Give where models run, in ONNX Runtime's words, and what NVIDIA's tool says of the GPUs.

    Parameters
    ----------
    runner
        The engine as the settings order it.
    """
    try:
        provider = runner.device()
    except NodeError as error:
        return {"provider": None, "provider_fault": error.message, "gpus": gpu_facts()}
    return {"provider": provider, "gpus": gpu_facts()}


class WorkerRoll(Protocol):
    """Where workers are written down."""

    def seen(self, report: WorkerReport) -> None:
        """Write down what a worker says of itself."""

    def left(self, owner: str) -> None:
        """Forget a worker that ended in order."""


class Attendance:
    """Keeps the row of one process.

    Parameters
    ----------
    roll
        Where it is kept.
    who
        The process, as it started.
    clock
        Time.
    facts
        What is told beside that; later ones add to earlier ones.
    """

    def __init__(self, roll: WorkerRoll, who: WorkerReport, clock: Clock, facts: Sequence[Facts] = ()) -> None:
        self._roll = roll
        self._who = who
        self._clock = clock
        self._facts = facts

    def beat(self) -> None:
        """Say that it lives.

        Raises
        ------
        StoreUnavailable
            If that cannot be written.
        """
        told: dict[str, Any] = {}
        for facts in self._facts:
            told.update(facts())
        self._roll.seen(replace(self._who, seen_at=self._clock.now(), facts=told))

    def leave(self) -> None:
        """Say that it ends.

        Raises
        ------
        StoreUnavailable
            If that cannot be written.
        """
        self._roll.left(self._who.owner)
