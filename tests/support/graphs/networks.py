"""The networks that people have: what MONAI bundles and nnU-Net export, and smaller ones of other kinds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.graphs.builder import GraphBuilder

IMAGE = "image"
ANY_VOLUME = ("n", "c", "d", "h", "w")
ANY_SLICE = ("n", "c", "h", "w")


def write_segresnet(path: Path, channels: int = 2, classes: int = 3, width: int = 4) -> Path:
    """Write a residual encoder and decoder with group norm, as MONAI's SegResNet; symbolic sizes, logits."""
    made = GraphBuilder(3, seed=1)

    def block(source: str, size: int) -> str:
        found = source
        for _ in range(2):
            found = made.convolve(made.node("Relu", made.group_norm(found, size, 2)), (size, size))
        return made.node("Add", source, found)

    first = block(made.convolve(IMAGE, (channels, width)), width)
    second = block(made.convolve(first, (width, 2 * width), stride=2), 2 * width)
    third = block(made.convolve(second, (2 * width, 4 * width), stride=2), 4 * width)
    for size, skip in ((2 * width, second), (width, first)):
        smaller = made.convolve(third, (2 * size, size), kernel=1)
        scales = made.constant([1, 1, 2, 2, 2], np.float32)
        larger = made.node("Resize", smaller, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
        third = block(made.node("Add", larger, skip), size)
    logits = made.convolve(third, (width, classes), kernel=1)
    return made.save(path, (IMAGE, ("n", channels, "d", "h", "w")), (logits, "logits", ANY_VOLUME))


def write_nnunet(path: Path, patch: tuple[int, int, int] = (128, 128, 128), classes: int = 3) -> Path:
    """Write a plain U-Net of five levels with instance norm and leaky ReLU, as nnU-Net; every size is fixed."""
    made = GraphBuilder(3, seed=2)
    widths = (2, 4, 6, 8, 10)

    def stage(source: str, channels: tuple[int, int], stride: int = 1) -> str:
        found = made.instance_norm(made.convolve(source, channels, stride=stride), channels[1])
        found = made.node("LeakyRelu", found, alpha=0.01)
        found = made.instance_norm(made.convolve(found, (channels[1], channels[1])), channels[1])
        return made.node("LeakyRelu", found, alpha=0.01)

    levels = [stage(IMAGE, (1, widths[0]))]
    for one, next_ in pairwise(widths):
        levels.append(stage(levels[-1], (one, next_), stride=2))
    found = levels.pop()
    for below, width, skip in zip(widths[:0:-1], widths[-2::-1], levels[::-1], strict=True):
        together = made.node("Concat", made.enlarge(found, (below, width)), skip, axis=1)
        found = stage(together, (2 * width, width))
    logits = made.convolve(found, (widths[0], classes), kernel=1)
    return made.save(path, (IMAGE, (1, 1, *patch)), (logits, "logits", (1, classes, *patch)))


def write_slice_network(
    path: Path, channels: int, labels: int, precision: type[np.floating[Any]] = np.float32, arg_max: bool = False
) -> Path:
    """Write a small 2-D network; sigmoid logits of each label, or the labels themselves."""
    made = GraphBuilder(2, precision, seed=3)
    found = made.node("Relu", made.convolve(IMAGE, (channels, 6)))
    found = made.node("Relu", made.convolve(found, (6, 6), kernel=5))
    logits = made.convolve(found, (6, labels + arg_max), kernel=1)
    given = (IMAGE, ("n", channels, "h", "w"))
    if not arg_max:
        return made.save(path, given, (logits, "logits", ANY_SLICE))
    labelled = made.node("ArgMax", logits, axis=1, keepdims=0)
    return made.save(path, given, (labelled, "labels", ("n", "h", "w")))


def write_classifier(path: Path, findings: int = 3) -> Path:
    """Write a classifier: convolutions, the mean of all voxels, a linear layer, a sigmoid."""
    made = GraphBuilder(3, seed=4)
    found = made.node("Relu", made.convolve(made.node("Relu", made.convolve(IMAGE, (1, 4), stride=2)), (4, 8)))
    pooled = made.node("Flatten", made.node("GlobalAveragePool", found))
    linear = made.node("Gemm", pooled, made.random(findings, 8), made.random(findings), transB=1)
    said = made.node("Sigmoid", linear)
    return made.save(path, (IMAGE, ("n", 1, 32, 32, 32)), (said, "findings", ("n", findings)))


def write_detector(path: Path, side: int = 32) -> Path:
    """Write a detector of bright spots: the three brightest voxels, a box about each, their score and their label."""
    made = GraphBuilder(3, seed=5)
    flat = made.node("Reshape", IMAGE, made.constant([-1], np.int64))
    brightest = made.node("TopK", flat, made.constant([3], np.int64), outputs=2, axis=0, largest=1, sorted=1)
    which = brightest.replace("_0", "_1")
    scores = made.node("Sigmoid", brightest)
    places = [made.node("Div", which, made.constant(side * side, np.int64))]
    rest = made.node("Mod", which, made.constant(side * side, np.int64))
    places += [made.node(operator, rest, made.constant(side, np.int64)) for operator in ("Div", "Mod")]
    column = made.constant([1], np.int64)
    centre = made.node("Concat", *(made.node("Unsqueeze", place, column) for place in places), axis=1)
    centre = made.node("Cast", centre, to=1)
    half = made.constant([1.0, 2.0, 3.0])
    boxes = made.node("Concat", made.node("Sub", centre, half), made.node("Add", centre, half), axis=1)
    values = made.node("Add", made.node("Mod", which, made.constant(2, np.int64)), made.constant(1, np.int64))
    outputs = ((boxes, "boxes", ("k", 6)), (scores, "scores", ("k",)), (values, "values", ("k",)))
    return made.save(path, (IMAGE, (1, 1, side, side, side)), *outputs)
