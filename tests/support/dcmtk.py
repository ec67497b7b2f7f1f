"""DCMTK's tools as foreign senders. The paths are absolute: pynetdicom installs programs of the same names."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

STORESCU: Final = Path("/usr/bin/storescu")
ECHOSCU: Final = Path("/usr/bin/echoscu")
FINDSCU: Final = Path("/usr/bin/findscu")


def storescu(port: int, paths: Sequence[Path], called: str = "NEURONOVA", options: Sequence[str] = ()) -> str:
    """Send files over one association.

    Parameters
    ----------
    port
        Of the receiver, on the loopback interface.
    paths
        Part 10 files.
    called
        AE title of the receiver.
    options
        Further options, e.g. ``-aet MODALITY`` or ``-xs``.

    Returns
    -------
    str
        What storescu printed.

    Raises
    ------
    AssertionError
        If it does not end with success.
    """
    done = start_storescu(port, paths, called, options)
    output, _ = done.communicate(timeout=120)
    assert done.returncode == 0, output
    return output


def start_storescu(
    port: int, paths: Sequence[Path], called: str = "NEURONOVA", options: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start sending, and return at once; see ``storescu``."""
    command = [str(STORESCU), "-v", "-aec", called, *options, "127.0.0.1", str(port), *map(str, paths)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def echoscu(port: int, called: str = "NEURONOVA", calling: str = "ECHOSCU") -> subprocess.CompletedProcess[str]:
    """Send a C-ECHO; look at ``returncode``."""
    command = [str(ECHOSCU), "-aet", calling, "-aec", called, "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def findscu(port: int, keys: Sequence[str], called: str = "ORTHANC") -> str:
    """Send a Study Root C-FIND; keys such as ``QueryRetrieveLevel=SERIES``."""
    options = [part for key in keys for part in ("-k", key)]
    command = [str(FINDSCU), "-S", "-aet", "NEURONOVA", "-aec", called, *options, "127.0.0.1", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout + done.stderr
