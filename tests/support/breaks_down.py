"""A decoder child that dies in the middle of an answer, as a native decoder does on damaged pixel data."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.stdin.buffer.readline()
    sys.stdout.buffer.write(b'{"kind": "<i2"}\n1234')
    sys.stdout.buffer.flush()
    os.abort()
