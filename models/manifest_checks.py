"""What the sections of a manifest must say to each other.

A setting that does nothing is an error as well: whoever wrote it believes that it does something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import Final

from inference.domain.codes import ANATOMICAL_STRUCTURE
from inference.domain.model_spec import Layout, Normalisation, OutputKind, Placement, Registration, Task
from models.manifest_sections import ChannelSection, Manifest

_SEGMENTS: Final = frozenset(kind for kind in OutputKind if kind.segments)
_CLASSIFIES: Final = frozenset({OutputKind.CLASSIFICATION, OutputKind.CLASSIFICATION_LOGITS})
_KINDS_OF: Final = {
    Task.SEGMENTATION: _SEGMENTS,
    Task.CLASSIFICATION: _CLASSIFIES,
    Task.DETECTION: frozenset({OutputKind.DETECTION}),
    Task.TUMOR_DETECTION: _SEGMENTS - {OutputKind.LABEL_MAP},
}
"""The outputs that a task can be answered with; a tumour's confidence needs probabilities."""

_DRAWN: Final = ("colour_rgb", "plausible_ml", "smallest_ml", "usual_ml", "diameters")
"""Keys of a label that say something of what is drawn alone."""

_SHORTEST_SIDE: Final = 8
_LONGEST_FIXED_SIDE: Final = 512
_MOST_VOXELS: Final = 512**3


def disagreements(manifest: Manifest) -> Iterator[str]:
    """Name every place where the sections contradict each other, as ``key: what is wrong``.

    Parameters
    ----------
    manifest
        Valid section by section.
    """
    yield from _labels(manifest)
    yield from _ratios(manifest)
    yield from _channels(manifest)
    yield from _output(manifest)
    yield from _shape(manifest)
    yield from _mirrors(manifest)
    yield from _placement_settings(manifest)
    yield from _label_settings(manifest)
    yield from _drawing_settings(manifest)


def _labels(manifest: Manifest) -> Iterator[str]:
    values = [label.value for label in manifest.labels]
    if values != list(range(1, len(values) + 1)):
        yield f"labels: values must count up from 1 without a hole, and are {', '.join(map(str, values))}"
    for name in _repeated(label.name for label in manifest.labels):
        yield f'labels: label names must differ, and "{name}" is there twice'


def _ratios(manifest: Manifest) -> Iterator[str]:
    known = {label.value for label in manifest.labels}
    for key in ("ratios", "contrasts"):
        for ratio in getattr(manifest.plausibility, key):
            if not {ratio.numerator, ratio.denominator} <= known:
                yield f"plausibility.{key}: a ratio names a label that does not exist"
            elif ratio.numerator == ratio.denominator:
                yield f"plausibility.{key}: a ratio of label {ratio.numerator} to itself says nothing"


def _channels(manifest: Manifest) -> Iterator[str]:
    first, *further = manifest.channels
    if not first.required:
        yield "channels: the first channel is the reference and must be required"
    for name in _repeated(channel.name.casefold() for channel in manifest.channels):
        yield f'channels: channel names must differ, and "{name}" is there twice'
    if not further and manifest.preprocess.registration is not Registration.NONE:
        yield "preprocess.registration: a single channel is registered to nothing; leave it out"
    for channel in manifest.channels:
        yield from _channel(channel, f'channels["{channel.name}"]')


def _channel(channel: ChannelSection, key: str) -> Iterator[str]:
    selection, intensity = channel.selection, channel.intensity
    if selection.sequence is not None and selection.modality != "MR":
        yield f"{key}.selection.sequence: only MR has one; leave it out"
    given = {"mean", "deviation"} & intensity.model_fields_set
    if intensity.normalisation is Normalisation.FIXED and len(given) < 2:
        yield f'{key}.intensity: normalisation = "fixed" needs mean and deviation'
    if intensity.normalisation is not Normalisation.FIXED and given:
        yield f'{key}.intensity: mean and deviation belong to normalisation = "fixed"; leave them out'
    if {"clip_percentiles", "clip_range"} <= intensity.model_fields_set:
        yield f"{key}.intensity: clip by percentiles or by a range, not by both"


def _output(manifest: Manifest) -> Iterator[str]:
    kind, task, outputs = manifest.output.kind, manifest.model.task, manifest.graph.outputs
    wanted = 3 if kind is OutputKind.DETECTION else 1
    if len(outputs) != wanted:
        yield f'graph.outputs: "{kind}" has {wanted}, not {len(outputs)}'
    for name in _repeated(outputs):
        yield f'graph.outputs: "{name}" is there twice'
    if kind not in _KINDS_OF[task]:
        answers = " or ".join(sorted(_KINDS_OF[task]))
        yield f'output.kind: the task "{task}" is answered with {answers}, not with {kind}'


def _shape(manifest: Manifest) -> Iterator[str]:
    shape, sliding = manifest.preprocess.shape, manifest.preprocess.placement is Placement.SLIDING
    flat = manifest.graph.layout is Layout.SLICE
    if flat and shape[0] != 1:
        yield f'preprocess.shape: layout = "slice" takes one slice at a time: the first number is 1, not {shape[0]}'
    sides = shape[1:] if flat else shape
    if min(sides) < _SHORTEST_SIDE:
        yield f"preprocess.shape: a side has at least {_SHORTEST_SIDE} voxels"
    if not sliding and max(sides) > _LONGEST_FIXED_SIDE:
        yield f'preprocess.shape: more than {_LONGEST_FIXED_SIDE} voxels a side need placement = "sliding"'
    if prod(shape) > _MOST_VOXELS:
        yield "preprocess.shape: more than 512 x 512 x 512 voxels at once"


def _mirrors(manifest: Manifest) -> Iterator[str]:
    axes, kind = manifest.graph.mirror_axes, manifest.output.kind
    for axis in _repeated(axes):
        yield f"graph.mirror_axes: axis {axis} is there twice"
    if axes and kind is OutputKind.LABEL_MAP:
        yield "graph.mirror_axes: labels whose arg max was taken in the graph cannot be averaged"
    if axes and kind is OutputKind.DETECTION:
        yield "graph.mirror_axes: boxes and points cannot be averaged"
    if 0 in axes and manifest.graph.layout is Layout.SLICE and manifest.graph.context_slices == 1:
        yield "graph.mirror_axes: a single slice has no axis 0 to be mirrored along"


def _placement_settings(manifest: Manifest) -> Iterator[str]:
    sliding = manifest.preprocess.placement is Placement.SLIDING
    if sliding and not manifest.output.kind.segments:
        yield f"preprocess.placement: {manifest.output.kind} looks at the whole field of view; no window can be slid"
    given, flat = manifest.graph.model_fields_set, manifest.graph.layout is Layout.SLICE
    if "overlap" in given and not sliding:
        yield 'graph.overlap: belongs to placement = "sliding"; leave it out'
    if "batch" in given and not (sliding or (flat and manifest.output.kind.segments)):
        yield "graph.batch: the network runs once, there is nothing to run together; leave it out"
    if "context_slices" in given and not flat:
        yield 'graph.context_slices: belongs to layout = "slice"; leave it out'


def _label_settings(manifest: Manifest) -> Iterator[str]:
    kind = manifest.output.kind
    for label in manifest.labels:
        given, key = label.model_fields_set, f'labels["{label.name}"]'
        if "threshold" in given and kind in {OutputKind.LABEL_MAP, OutputKind.LABEL_MAP_LOGITS}:
            yield f"{key}.threshold: labels of {kind} exclude each other, the largest wins; leave it out"
        if kind.segments and "colour_rgb" not in given:
            yield f"{key}.colour_rgb: what is drawn needs a colour"
        for name in _DRAWN:
            if name in given and not kind.segments:
                yield f"{key}.{name}: {kind} draws nothing; leave it out"
        if label.anatomy is not None and label.category.to_code() == ANATOMICAL_STRUCTURE:
            yield f"{key}.anatomy: an anatomical structure is where it is; leave it out"


def _drawing_settings(manifest: Manifest) -> Iterator[str]:
    kind, publication = manifest.output.kind, manifest.publication
    if publication.parametric_map and not (kind.segments and kind is not OutputKind.LABEL_MAP):
        yield f"publication.parametric_map: {kind} gives no probability of a voxel; leave it out"
    if kind.segments:
        return
    for key in sorted(manifest.plausibility.model_fields_set):
        yield f"plausibility.{key}: {kind} draws nothing that could be measured; leave it out"
    if publication.seg:
        yield f"publication.seg: {kind} draws nothing; say false"
    if publication.total is not None:
        yield f"publication.total: {kind} draws nothing that could be measured; leave it out"


def _repeated(values: Iterable[object]) -> list[object]:
    listed = list(values)
    return [value for value in dict.fromkeys(listed) if listed.count(value) > 1]
