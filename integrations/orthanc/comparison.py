"""Whether an archive holds what was sent, whatever transfer syntax it holds it in."""

from __future__ import annotations

from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID


def same_content(held: bytes, sent: bytes) -> bool:
    """Compare two Part 10 files by their data sets.

    Parameters
    ----------
    held
        As the archive gave it; bytes that are no DICOM file are something else.
    sent
        As it was made.
    """
    if held == sent:
        return True
    try:
        return same_data_set(dcmread(BytesIO(held)), dcmread(BytesIO(sent)))
    except Exception:  # noqa: BLE001 - pydicom raises many unrelated types on bytes that are something else
        return False


def same_data_set(held: Dataset, sent: Dataset) -> bool:
    """Compare two data sets; File Meta, encoding of lengths and VRs, and compression are the archive's own matter.

    Parameters
    ----------
    held, sent
        As read from files: pixels that one of them has compressed are decoded for comparison.
    """
    if _syntax(held).is_encapsulated != _syntax(sent).is_encapsulated:
        for data_set in (held, sent):
            if _syntax(data_set).is_encapsulated:
                data_set.decompress(generate_instance_uid=False)
    pixels = [data_set.pop("PixelData", None) for data_set in (held, sent)]
    values = [None if element is None else element.value for element in pixels]
    return bool(values[0] == values[1] and held == sent)


def _syntax(data_set: Dataset) -> UID:
    syntax: UID = data_set.file_meta.TransferSyntaxUID
    return syntax
