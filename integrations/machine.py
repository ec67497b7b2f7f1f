"""What this machine is and how busy it is: numbers and names of hardware, nothing of anybody."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

GPU_SECONDS: Final = 5.0
"""Longest wait for ``nvidia-smi``; a driver that hangs must not keep a worker from saying that it lives."""

_GPU_FIELDS: Final = {
    "index": int,
    "name": str,
    "driver_version": str,
    "memory.total": int,
    "memory.used": int,
    "utilization.gpu": int,
    "temperature.gpu": int,
}
"""What ``nvidia-smi --query-gpu`` is asked, and how each answer is read; memory is in MiB."""

_GPU_NAMES: Final = ("index", "name", "driver", "memory_total_mib", "memory_used_mib", "busy_percent", "celsius")


def machine_facts(proc: Path = Path("/proc"), control_group: Path = Path("/sys/fs/cgroup")) -> dict[str, Any]:
    """Give the number of cores, how busy they are, and how much memory there is and is left.

    Parameters
    ----------
    proc
        Where the kernel tells of memory.
    control_group
        Where it tells of a container's own limit, which counts where it is lower.
    """
    memory = dict(_memory(proc / "meminfo"))
    limit = _number(control_group / "memory.max")
    total, available = memory.get("MemTotal"), memory.get("MemAvailable")
    if limit is not None and total is not None and available is not None and limit < total:
        used = _number(control_group / "memory.current") or 0
        total, available = limit, min(available, max(limit - used, 0))
    return {
        "cpu_count": len(os.sched_getaffinity(0)),
        "load_1m": round(os.getloadavg()[0], 2),
        "memory_total_bytes": total,
        "memory_available_bytes": available,
    }


def gpu_facts(tool: str | None = None) -> list[dict[str, Any]]:
    """Describe the NVIDIA GPUs of this machine, as ``nvidia-smi`` does; none where it is not there or says nothing.

    Parameters
    ----------
    tool
        Path of ``nvidia-smi``; by default what is found.
    """
    path = tool or shutil.which("nvidia-smi")
    if path is None:
        return []
    command = [path, f"--query-gpu={','.join(_GPU_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GPU_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [_gpu(row) for row in csv.reader(done.stdout.splitlines(), skipinitialspace=True) if row]


def _gpu(row: list[str]) -> dict[str, Any]:
    return {name: _read(kind, text) for name, kind, text in zip(_GPU_NAMES, _GPU_FIELDS.values(), row, strict=False)}


def _read(kind: type, text: str) -> Any:
    """Give None for what a card does not tell, such as ``[N/A]``."""
    try:
        return kind(text.strip())
    except ValueError:
        return None


def _memory(path: Path) -> Iterator[tuple[str, int]]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        name, _, amount = line.partition(":")
        number, _, unit = amount.strip().partition(" ")
        if number.isdecimal() and unit == "kB":
            yield name, int(number) * 1024


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() else None
