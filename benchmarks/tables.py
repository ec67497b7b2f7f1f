"""The measurements as one short page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

INTRODUCTION = """# Benchmarks

`make bench` (or `python -m benchmarks NAME`) measures and writes this page; the JSON lies in `results/`. Single
seconds depend on the machine and its load: read the ratios, which were measured side by side in one run.

"""


def write_readme(results: Path, readme: Path) -> None:
    """Write the page from the JSON that is there."""
    parts = [_section(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(results.glob("*.json"))]
    readme.write_text(INTRODUCTION + "\n".join(parts), encoding="utf-8")


def _section(document: dict[str, Any]) -> str:
    machine = document["machine"]
    lines = [f"## {document['benchmark']}", "", f"{machine['processor']}, {machine['cores']} cores.", ""]
    for name, values in document["result"].items():
        if isinstance(values, dict):
            lines += [f"**{name}**", "", "| what | value |", "|---|---|"]
            lines += [f"| {key} | {value} |" for key, value in values.items()] + [""]
        else:
            lines += [f"{name}: {values}", ""]
    return "\n".join(lines)
