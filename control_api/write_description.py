"""``python -m control_api.write_description FILE``: write the API's description, as it is committed and published."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

from flask import Flask

from control_api.app import describe


def text() -> str:
    """Give the description as indented JSON."""
    return json.dumps(describe(Flask("control_api"), version("neuronova-node")).spec.to_dict(), indent=2) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
