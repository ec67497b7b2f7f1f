"""Where the repository is, for tests about the repository itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

REPOSITORY: Final[Path] = Path(__file__).resolve().parents[2]
"""The checkout's root folder."""


def tool(name: str) -> str:
    """Give the path of a command that lies beside this Python."""
    return str(Path(sys.executable).parent / name)


def tracked_files() -> list[Path]:
    """List the files of the repository that git knows and that are there."""
    # A checkout may belong to another user than the one who tests it, as in a container.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := REPOSITORY / name).is_file()]
