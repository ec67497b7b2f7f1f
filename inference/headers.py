"""Reading the headers of instances: everything up to the pixels, and where these begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from inference.attributes import BROKEN
from inference.charsets import settle
from inference.domain.charsets import LATIN_1
from inference.domain.study import StoredInstance
from inference.errors import IncompleteSeries, ReasonCode
from inference.file_format import open_file


@dataclass(frozen=True, eq=False, slots=True)
class InstanceHeader:
    """The header of an instance.

    Parameters
    ----------
    instance
        Whose it is.
    data_set
        Its elements up to the pixels; patient data: never log.
    pixels_at
        Where the element with the pixels begins in the file, or in what a deflated file stands for; where there is
        none, the end.
    """

    instance: StoredInstance
    data_set: Dataset
    pixels_at: int


def read_headers(instances: Sequence[StoredInstance], charset: str = LATIN_1) -> tuple[InstanceHeader, ...]:
    """Read each instance up to its pixel data.

    Parameters
    ----------
    instances
        Which; the files are only read.
    charset
        Specific Character Set to assume where a header names none (``inference.charsets``).

    Returns
    -------
    tuple of InstanceHeader
        In the order of ``instances``.

    Raises
    ------
    IncompleteSeries
        MISSING_ATTRIBUTE when a header cannot be parsed.
    """
    return tuple(_read_header(instance, charset) for instance in instances)


def _read_header(instance: StoredInstance, charset: str) -> InstanceHeader:
    try:
        with instance.path.open("rb") as file:
            opened = open_file(file)
            data_set = opened.read()
            settle(data_set, charset)
            return InstanceHeader(instance, data_set, opened.stream.tell())
    except BROKEN as error:
        message = "the header of an instance cannot be read"
        raise IncompleteSeries(ReasonCode.MISSING_ATTRIBUTE, message) from error
