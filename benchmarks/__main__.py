"""``python -m benchmarks [NAME ...]``: measure, write JSON, and write the table of ``benchmarks/README.md`` anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import encoding, end_to_end, ingest, polling, reading, stages
from benchmarks.machine import facts
from benchmarks.tables import write_readme

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "ingest": ingest.measure,
    "reading": reading.measure,
    "stages": stages.measure,
    "encoding": encoding.measure,
    "end_to_end": end_to_end.measure,
    "polling": polling.measure,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    RESULTS.mkdir(exist_ok=True)
    for name in names or BENCHMARKS:
        print(f"{name} …", flush=True)
        result = {"benchmark": name, "machine": facts(), "result": BENCHMARKS[name]()}
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(result["result"], indent=1))
    write_readme(RESULTS, RESULTS.parent / "README.md")


if __name__ == "__main__":
    main(sys.argv[1:])
