"""Seconds to read a series into a volume, by our reader, by plain pydicom and by SimpleITK (GDCM), in turn.

Ours looks at every header, checks the geometry, gives modality values as float32 and decodes compressed frames in
children with limits; they are warm, as in a worker that has just ended its last series, and cold, as in one call. The
others decode in their own process and give stored values.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from dicom_node.demo.phantom import Rendering, load_labels, render
from dicom_node.folder_scan import scan
from inference.decoder_pool import DecoderSupply
from inference.domain.study import SeriesRevision
from inference.headers import read_headers
from inference.volume_builder import build_volume
from integrations.system import SystemClock
from tests.support.synthetic_series import SeriesOptions, axial_grid, write_series

ROUNDS = 12
SHAPE = (384, 256, 256)
BITS = 12
PAUSE_S = 1.0
"""Between series, in which a worker starts the children of the next one."""

ENCODINGS: Mapping[str, str] = {"uncompressed": ExplicitVRLittleEndian, "JPEG 2000": JPEG2000Lossless}


def measure() -> dict[str, Any]:
    """Read each series by each reader in turn, after one round that counts for nothing."""
    array = _phantom()
    result = {}
    for name, syntax in ENCODINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = write_series(Path(folder), array, axial_grid(SHAPE), SeriesOptions(bits_stored=BITS))
            _encode(paths, syntax)
            result[f"{SHAPE[0]} slices of {SHAPE[1]} x {SHAPE[2]}, {name}, s"] = _measure(paths, array)
    return result


def _encode(paths: Sequence[Path], transfer_syntax_uid: str) -> None:
    if transfer_syntax_uid == ExplicitVRLittleEndian:
        return
    for path in paths:
        data_set = dcmread(path)
        data_set.compress(transfer_syntax_uid, generate_instance_uid=False)
        data_set.save_as(path)


def _phantom() -> NDArray[np.uint16]:
    """Draw the head phantom in the size of the benchmark, with noise in every pixel."""
    labels = load_labels()
    slices, rows, columns = SHAPE
    nearest = (np.arange(n) * m // n for n, m in zip((columns, slices, rows), labels.shape, strict=True))
    return render(labels[np.ix_(*nearest)], Rendering())


def _measure(paths: Sequence[Path], array: NDArray[np.uint16]) -> dict[str, float]:
    folder = paths[0].parent
    (series,) = scan(folder).series
    clock = SystemClock()
    warm = DecoderSupply(keeps_ready=True)
    readers: Mapping[str, Callable[[], NDArray[Any]]] = {
        "ours": lambda: _ours(series, warm),
        "ours, cold": lambda: _ours(series, DecoderSupply()),
        "pydicom": lambda: _pydicom(paths),
        "SimpleITK": lambda: _simpleitk(folder),
    }
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for round_number in range(ROUNDS + 1):
        for name in _turned(list(readers), round_number):
            clock.wait(PAUSE_S)
            start = clock.monotonic()
            volume = readers[name]()
            taken = clock.monotonic() - start
            if not np.array_equal(volume, array):
                raise RuntimeError(f"{name} did not read what was written")
            del volume
            if round_number:
                seconds[name].append(taken)
    warm.close()
    return _summary({name: statistics.median(values) for name, values in seconds.items()})


def _turned(names: list[str], by: int) -> list[str]:
    """Let another begin each round: whoever comes after a large one finds memory that is at hand."""
    start = by % len(names)
    return names[start:] + names[:start]


def _summary(medians: Mapping[str, float]) -> dict[str, float]:
    ours = medians["ours"]
    ratios = {f"{name} / ours": round(medians[name] / ours, 2) for name in ("pydicom", "SimpleITK")}
    return {name: round(value, 3) for name, value in medians.items()} | ratios


def _ours(series: SeriesRevision, decoders: DecoderSupply) -> NDArray[np.float32]:
    return build_volume(read_headers(series.instances), decoders=decoders).array


def _pydicom(paths: Sequence[Path]) -> NDArray[Any]:
    """Read, sort along the slice axis, stack: what most do."""
    data_sets = [dcmread(path) for path in paths]
    data_sets.sort(key=lambda data_set: float(data_set.ImagePositionPatient[2]))
    return np.stack([data_set.pixel_array for data_set in data_sets])


def _simpleitk(folder: Path) -> NDArray[Any]:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    array: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
    return array
