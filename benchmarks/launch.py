"""``python -S benchmarks/launch.py PROGRAM ...``: run a program, and print its seconds and the most memory it had.

From a process of its own that is small: the kernel counts what a process had before it became another program, so the
memory of whoever starts a program is the least that it seems to have. The last line printed is JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys


def main(command: list[str]) -> int:
    """Run a command and give its exit status."""
    start = os.times().elapsed
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    print(json.dumps({"seconds": os.times().elapsed - start, "peak_mib": usage.ru_maxrss // 1024}))
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
