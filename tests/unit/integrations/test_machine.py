"""What a machine says of itself, where it says anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from integrations.machine import gpu_facts, machine_facts

MEMORY = "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    600 kB\nHugePages_Total:       0\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Give a kernel's folder."""
    (tmp_path / "meminfo").write_text(MEMORY)
    return tmp_path


def tool(folder: Path, script: str) -> str:
    """Write a stand-in for nvidia-smi."""
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_cores_load_and_memory_are_told(proc: Path) -> None:
    """In bytes, as the kernel has them."""
    facts = machine_facts(proc, proc / "absent")

    assert facts["cpu_count"] >= 1
    assert facts["load_1m"] >= 0
    assert (facts["memory_total_bytes"], facts["memory_available_bytes"]) == (1000 * 1024, 600 * 1024)


@pytest.mark.parametrize(
    ("limit", "total", "available"),
    [("512000", 512000, 312000), ("max", 1000 * 1024, 600 * 1024), ("99999999", 1000 * 1024, 600 * 1024)],
)
def test_a_containers_own_limit_counts_where_it_is_lower(proc: Path, limit: str, total: int, available: int) -> None:
    """What the machine has beside it is of no use to us."""
    (proc / "memory.max").write_text(limit + "\n")
    (proc / "memory.current").write_text("200000\n")

    facts = machine_facts(proc, proc)

    assert (facts["memory_total_bytes"], facts["memory_available_bytes"]) == (total, available)


def test_a_kernel_that_tells_nothing_is_no_fault(tmp_path: Path) -> None:
    """Other systems have no such files."""
    assert machine_facts(tmp_path, tmp_path)["memory_total_bytes"] is None


def test_gpus_are_told_as_the_tool_names_them(tmp_path: Path) -> None:
    """One row a card; what a card does not tell is null."""
    path = tool(
        tmp_path, "echo '0, NVIDIA H100, 550.1, 81559, 1024, 37, 41'; echo '1, Old, 550.1, 4096, 0, [N/A], 30'"
    )

    first, second = gpu_facts(path)

    assert first == {
        "index": 0,
        "name": "NVIDIA H100",
        "driver": "550.1",
        "memory_total_mib": 81559,
        "memory_used_mib": 1024,
        "busy_percent": 37,
        "celsius": 41,
    }
    assert second["busy_percent"] is None


@pytest.mark.parametrize("script", ["exit 9", "echo"])
def test_a_tool_that_fails_shows_no_gpu(tmp_path: Path, script: str) -> None:
    """A driver that does not match must not end a worker."""
    assert gpu_facts(tool(tmp_path, script)) == []
    assert gpu_facts(str(tmp_path / "absent")) == []
