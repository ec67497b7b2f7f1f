"""What the API is given to show the node itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from control_api.node_queries import NodeReadModel
from inference.domain.node_report import PeerOutcome, WorkerReport
from integrations.shown_settings import ShownSetting


class Workers(Protocol):
    """The processes that work."""

    def all(self) -> Sequence[WorkerReport]:
        """List them by kind and since when they are there."""


class PeerLog(Protocol):
    """What the servers answered that the node talks to."""

    def all(self) -> Sequence[PeerOutcome]:
        """List the last answers by name."""


@dataclass(frozen=True, slots=True)
class NodeServices:
    """Everything that views about the node may call.

    Parameters
    ----------
    queries
        The read side.
    workers, peers
        What workers reported of themselves, and of the peers.
    data_dir
        The folder whose disk is reported.
    reserve_bytes
        What must stay free: below, nothing is received.
    settings
        The settings, as an administrator may see them.
    """

    queries: NodeReadModel
    workers: Workers
    peers: PeerLog
    data_dir: Path
    reserve_bytes: int = 0
    settings: tuple[ShownSetting, ...] = ()
