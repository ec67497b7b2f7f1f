"""DICOM objects as text to compare: stable from release to release, short enough to be read, true to what matters.

UIDs and software versions change without anything being different for whoever reads an object. So a UID is
``SOPInstanceUID#3``, after the attribute where it appeared first, and a version is a placeholder. Pixels are their
length and digest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from inference.encoding.equipment import software_version

DSRDUMP: Final = Path("/usr/bin/dsrdump")
_LIMIT_S: Final = 60
_WIDTH: Final = 160

_NO_LIMIT: Final = 2**62
_OF_DICOM: Final = "1.2.840.10008."
"""The root of the standard's own UIDs, which stay as they are."""

_ANY_UID: Final = re.compile(r"(?<![\w.#])[0-2](?:\.\d+){2,}(?![\w.])")
_GROUP_LENGTH, _PER_FRAME, _SOFTWARE_VERSIONS = "00020000", "52009230", "00181020"
_CODE: Final = ("00080100", "00080102", "00080104")
"""Code Value, Coding Scheme Designator and Code Meaning."""


class Names:
    """Stable names for UIDs, by the attribute and the order in which they appear.

    Parameters
    ----------
    data_sets
        Where they appear. Those of the instances come first, so that a reference to anything else shows by its name.
    """

    def __init__(self, data_sets: Sequence[Dataset]) -> None:
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        for data_set in data_sets:
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                self._add(keyword, data_set[keyword].value)
        for data_set in data_sets:
            for element in (*data_set.file_meta, *data_set.iterall()):
                if element.VR == "UI" and element.VM == 1:
                    self._add(element.keyword, element.value)

    def of(self, uid: str) -> str:
        """Give the name of a UID; one that did not appear, and the standard's own, are themselves."""
        return self._names.get(uid, uid)

    def within(self, text: str) -> str:
        """Replace every UID in a text."""
        return _ANY_UID.sub(lambda found: self.of(found[0]), text)

    def _add(self, keyword: str, uid: str) -> None:
        if uid not in self._names and not uid.startswith(_OF_DICOM):
            self._counts[keyword] += 1
            self._names[uid] = f"{keyword}#{self._counts[keyword]}"


def as_json(data_set: Dataset, names: Names) -> str:
    """Give a whole object as JSON: PS3.18 annex F in short.

    Attributes are in order of tag, under their keywords; a single value stands for itself; a code is written as the
    standard prints it, ``(121007, DCM, Device)``. Of the per-frame functional groups only those of the first and the
    last frame are there.
    """
    whole = data_set.file_meta.to_json_dict(_NO_LIMIT) | data_set.to_json_dict(_NO_LIMIT)
    del whole[_GROUP_LENGTH]  # it grows with the UIDs
    return _laid_out(_item(whole, names)) + "\n"


def tree(content: bytes, names: Names, folder: Path) -> str:
    """Let DCMTK print the tree of a structured document, with templates and references.

    Parameters
    ----------
    content
        The Part 10 file.
    names
        For its UIDs.
    folder
        Where the file may lie meanwhile.
    """
    path = folder / "document.dcm"
    path.write_bytes(content)
    command = [str(DSRDUMP), "+Pl", "+Pu", "+Pt", str(path)]
    done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return names.within(done.stdout.decode()).rstrip("\n") + "\n"


def _item(attributes: Mapping[str, Any], names: Names) -> Any:
    """Give a data set or an item of a sequence."""
    if tuple(attributes) == _CODE:
        value, scheme, meaning = (attributes[tag]["Value"][0] for tag in _CODE)
        return f"({value}, {scheme}, {meaning})"
    return {keyword_for_tag(tag) or tag: _value(tag, attributes[tag], names) for tag in sorted(attributes)}


def _value(tag: str, attribute: Mapping[str, Any], names: Names) -> Any:
    if "InlineBinary" in attribute:
        content = base64.b64decode(attribute["InlineBinary"])
        return f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}"
    values: Sequence[Any] = attribute.get("Value", ())
    if tag == _PER_FRAME:
        values = [values[0], values[-1]]
    if attribute["vr"] == "SQ":
        return [_item(one, names) for one in values]
    simple = [_simple(tag, one, names) for one in values]
    return simple[0] if len(simple) == 1 else simple


def _simple(tag: str, value: Any, names: Names) -> Any:
    if tag == _SOFTWARE_VERSIONS and value in (software_version(), version("highdicom")):
        return "(version)"
    if isinstance(value, float):
        return float(f"{value:.12g}")  # the digits behind depend on the processor
    return names.of(value) if isinstance(value, str) else value


def _laid_out(value: Any, depth: int = 0, before: int = 0) -> str:
    """Write on one line what fits there, and anything else part by part; so much stands before it."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or depth + before + len(line) < _WIDTH:
        return line
    if isinstance(value, list):
        left, parts, right = "[", [_laid_out(one, depth + 1) for one in value], "]"
    else:
        named = {f"{json.dumps(key)}: ": one for key, one in value.items()}
        left, parts, right = "{", [key + _laid_out(one, depth + 1, len(key)) for key, one in named.items()], "}"
    start = "\n" + " " * (depth + 1)
    return f"{left}{start}{f',{start}'.join(parts)}\n{' ' * depth}{right}"
