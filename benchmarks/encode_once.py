"""``python -m benchmarks.encode_once FOLDER KIND``: encode a drawing in a process of its own.

It says how long that took the first time, in which highdicom reads its tables, and the second, as in a worker that
has encoded before; how long the check before delivery took, and reading the source's headers.
``benchmarks.encoding`` runs it on a folder that it wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.drawings import DRAWINGS, LABELS, OURS, SOURCE
from dicom_node.folder_scan import scan
from inference.domain.answer import Segmented
from inference.domain.artifact import ArtifactKind, Segmentation
from inference.domain.geometry import Grid
from inference.domain.identifiers import UID
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import SeriesRevision
from inference.domain.volume import SourceFrame, Volume
from inference.encoding.census import take_census
from inference.encoding.encoding_input import EncodingInput
from inference.encoding.equipment import Imprint
from inference.encoding.part10 import to_artifact
from inference.encoding.readback import check_seg
from inference.encoding.seg import build_seg
from inference.encoding.seg_frames import Drawn
from inference.encoding.source_images import source_images
from inference.headers import InstanceHeader, read_headers
from inference.measure import measure
from inference.uids import OutputUIDs
from integrations.system import SystemClock

T = TypeVar("T")


def main(folder: Path, kind: Segmentation) -> None:
    """Encode and check, and print the seconds as JSON."""
    (series,) = scan(folder / SOURCE).series
    headers, reading = _timed(lambda: read_headers(series.instances))
    source = _measured(folder, headers, series)
    cold = _timed(lambda: _encode(source, kind))[1]
    content, encoding = _timed(lambda: _encode(source, kind))
    (folder / OURS).write_bytes(content)
    _, checking = _timed(lambda: _check(source, content))
    print(json.dumps({"reading": reading, "cold": cold, "encoding": encoding, "checking": checking}))


def _timed(act: Callable[[], T]) -> tuple[T, float]:
    clock = SystemClock()
    start = clock.monotonic()
    done = act()
    return done, clock.monotonic() - start


def _measured(folder: Path, headers: tuple[InstanceHeader, ...], series: SeriesRevision) -> EncodingInput:
    """Measure the drawing on a volume of nothing, since what encodes it does not look at the image."""
    drawing = DRAWINGS[folder.name]
    data_sets = sorted((h.data_set for h in headers), key=lambda ds: float(ds.ImagePositionPatient[2]))
    frames = tuple(SourceFrame(UID(ds.SOPInstanceUID), UID(ds.SOPClassUID), None) for ds in data_sets)
    grid: Grid = drawing.grid
    nothing = np.broadcast_to(np.float32(0), grid.shape)
    volume = Volume(nothing, grid, frames, UID(data_sets[0].FrameOfReferenceUID))
    uids = OutputUIDs.derive(ModelInputs(series), drawing.spec.reference)
    result = measure(Segmented(np.load(folder / LABELS), {}), volume, drawing.spec, uids)
    return EncodingInput(volume, data_sets, result, drawing.spec, uids, datetime(2026, 1, 1, tzinfo=UTC))


def _encode(source: EncodingInput, kind: Segmentation) -> bytes:
    if source.result.labels is None:
        raise RuntimeError("nothing was drawn")
    images = source_images(source.volume, source.data_sets, UID(source.data_sets[0].FrameOfReferenceUID))
    drawn = Drawn(source.result.labels, source.result.segments)
    seg = build_seg(images, drawn, Imprint(source.spec, source.uids, source.produced_at), kind)
    return to_artifact(ArtifactKind.SEG, seg).content


def _check(source: EncodingInput, content: bytes) -> None:
    if source.result.labels is not None:
        census = take_census(source.result.labels, source.volume.grid.shape[0])
        check_seg(content, source.volume, source.result, census)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Segmentation(sys.argv[2]))
