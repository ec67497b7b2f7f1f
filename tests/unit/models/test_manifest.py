"""A manifest is read strictly: what is misspelt, missing, contradictory or without effect is told, all at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.domain.codes import LEFT, RIGHT, RIGHT_AND_LEFT, Code
from inference.domain.model_spec import (
    Layout,
    ModelSpec,
    Normalisation,
    OutputKind,
    Placement,
    Plane,
    Registration,
    Task,
    Weighting,
)
from inference.errors import ModelContractViolated
from models.catalogue import builtin_models_root
from models.manifest import load_manifest, read_manifest
from tests.support.written_packages import Values, changed, manifest_values, write_manifest

MANIFEST = builtin_models_root() / "brain_structures" / "manifest.toml"

LESIONS = {"value": "49755003", "scheme": "SCT", "meaning": "Morphologically Abnormal Structure"}
CEREBRUM = {"value": "83678007", "scheme": "SCT", "meaning": "Cerebrum"}

FLAT = {"graph.layout": "slice", "preprocess.shape": [1, 64, 64]}
SLIDING = {"preprocess.placement": "sliding"}
SIGMOID = {"output.kind": "sigmoid_logits"}
CLASSIFICATION = {
    "model.task": "classification",
    "output.kind": "classification",
    "publication.seg": False,
    "labels.0.colour_rgb": None,
}
DETECTION = {
    **CLASSIFICATION,
    "model.task": "detection",
    "output.kind": "detection",
    "graph.outputs": ["boxes", "scores", "values"],
}


def second_channel(values: Values, **more: object) -> Values:
    """Give the manifest another channel."""
    channel = {**values["channels"][0], "name": "FLAIR", **more}
    return {**values, "channels": [*values["channels"], channel]}


def faults(folder: Path, values: Values) -> tuple[str, ...]:
    read = read_manifest(write_manifest(folder, values))
    assert not isinstance(read, ModelSpec)
    return read


def spec_of(folder: Path, values: Values) -> ModelSpec:
    read = read_manifest(write_manifest(folder, values))
    assert isinstance(read, ModelSpec), read
    return read


# What is understood


def test_the_built_in_manifest_is_read() -> None:
    """Every part of the contract arrives in the core's words."""
    spec = load_manifest(MANIFEST)
    assert spec.reference.model_id == "brain_structures"
    assert spec.graph.weights == MANIFEST.parent / "model.onnx"
    (channel,) = spec.channels
    assert channel.required
    assert channel.selection.sequence is Weighting.T1
    assert "HEAD" in channel.selection.body_parts
    assert spec.preprocess.placement is Placement.HEAD
    assert spec.output is OutputKind.LABEL_MAP_LOGITS
    assert spec.task is Task.SEGMENTATION
    assert [label.value for label in spec.labels] == list(range(1, 18))
    thalamus = spec.labels[6]
    assert (thalamus.type.value, thalamus.type.scheme) == ("42695009", "SCT")
    assert thalamus.min_volume_ml < 15 < thalamus.max_volume_ml
    assert spec.plausibility.total_ml[0] < 1200 < 1700 < spec.plausibility.total_ml[1]
    assert spec.plausibility.ratios
    assert spec.plausibility.contrasts
    assert spec.publication.procedure.value == "24590-2"


def test_structures_differ_in_name_code_and_colour() -> None:
    """A reader of the SEG can tell them apart."""
    labels = load_manifest(MANIFEST).labels
    for distinct in ({x.name for x in labels}, {x.type.value for x in labels}, {x.colour_rgb for x in labels}):
        assert len(distinct) == len(labels)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    """The small manifest names only what must be named."""
    spec = spec_of(tmp_path, changed(manifest_values(), {"channels.0.selection.sequence": None}))
    assert spec.channels[0].selection.sequence is None
    assert spec.channels[0].selection.body_parts == frozenset()
    assert spec.channels[0].intensity.clip_percentiles == (0.0, 100.0)
    assert (spec.graph.layout, spec.graph.batch, spec.graph.mirror_axes) == (Layout.VOLUME, 1, ())
    assert spec.preprocess.registration is Registration.NONE
    assert (spec.labels[0].threshold, spec.labels[0].smallest_ml) == (0.5, 0.0)
    assert spec.plausibility.ratios == spec.plausibility.contrasts == ()
    assert spec.publication.total is None
    label, made = spec.labels[0], spec.publication
    assert (label.anatomy, label.laterality, label.usual_ml, label.diameters) == (None, None, None, False)
    assert (made.sc, made.pdf, made.parametric_map, made.key_images) == (True, True, False, True)


def test_every_setting_arrives(tmp_path: Path) -> None:
    """What a manifest may say is what the core is told."""
    values = changed(
        second_channel(manifest_values(), required=False),
        {
            **SLIDING,
            **SIGMOID,
            "model.task": "tumor_detection",
            "preprocess.registration": "rigid",
            "preprocess.shape": [96, 128, 1024],
            "graph.precision": "float16",
            "graph.batch": 4,
            "graph.overlap": 0.25,
            "graph.mirror_axes": [0, 2],
            "channels.0.selection.plane": "axial",
            "channels.0.selection.include_description": ["brain"],
            "channels.0.intensity": {
                "normalisation": "fixed",
                "mean": 40,
                "deviation": 20.5,
                "clip_range": [-10, 80.0],
            },
            "labels.0.threshold": 0.3,
            "labels.0.smallest_ml": 0.1,
            "labels.0.plausible_ml": [0, 300],
            "plausibility.total_ml": [0, 400],
            "labels.0.category": LESIONS,
            "labels.0.anatomy": CEREBRUM,
            "labels.0.laterality": "left",
            "labels.0.usual_ml": [1, 2.5],
            "labels.0.diameters": True,
            "publication.total": "Everything",
            "publication.sc": False,
            "publication.pdf": False,
            "publication.parametric_map": True,
            "publication.key_images": False,
        },
    )
    spec = spec_of(tmp_path, values)
    assert spec.task is Task.TUMOR_DETECTION
    assert [channel.required for channel in spec.channels] == [True, False]
    assert (spec.preprocess.registration, spec.preprocess.shape) == (Registration.RIGID, (96, 128, 1024))
    assert (spec.graph.precision, spec.graph.batch, spec.graph.overlap) == ("float16", 4, 0.25)
    assert spec.graph.mirror_axes == (0, 2)
    assert spec.channels[0].selection.plane is Plane.AXIAL
    assert spec.channels[0].selection.include_description == ("brain",)
    intensity = spec.channels[0].intensity
    assert (intensity.normalisation, intensity.mean, intensity.deviation) == (Normalisation.FIXED, 40.0, 20.5)
    assert intensity.clip_range == (-10.0, 80.0)
    label = spec.labels[0]
    assert (label.threshold, label.smallest_ml, label.max_volume_ml) == (0.3, 0.1, 300.0)
    assert (spec.plausibility.total_ml, spec.publication.total) == ((0.0, 400.0), "Everything")
    assert spec.publication.region == Code("12738006", "SCT", "Brain")
    assert (label.anatomy, label.laterality) == (Code("83678007", "SCT", "Cerebrum"), LEFT)
    assert (label.usual_ml, label.diameters) == ((1.0, 2.5), True)
    made = spec.publication
    assert (made.sc, made.pdf, made.parametric_map, made.key_images) == (False, False, True, False)


@pytest.mark.parametrize(("said", "side"), [("left", LEFT), ("right", RIGHT), ("both", RIGHT_AND_LEFT)])
def test_a_side_becomes_its_code(tmp_path: Path, said: str, side: Code) -> None:
    """Of CID 244."""
    assert spec_of(tmp_path, changed(manifest_values(), {"labels.0.laterality": said})).labels[0].laterality == side


@pytest.mark.parametrize(
    "changes",
    [
        {**FLAT, "graph.batch": 8},
        {**FLAT, **SLIDING, "graph.context_slices": 5, "graph.mirror_axes": [0, 1]},
        SIGMOID,
        {"output.kind": "label_map"},
        CLASSIFICATION,
        {**CLASSIFICATION, "output.kind": "classification_logits", "labels.0.threshold": 0.7},
        DETECTION,
    ],
    ids=["2-D", "2.5-D", "sigmoid", "arg max", "classification", "exclusive classification", "detection"],
)
def test_every_kind_of_network_has_a_manifest(tmp_path: Path, changes: dict[str, object]) -> None:
    """No kind is refused for a setting that another kind needs."""
    spec_of(tmp_path, changed(manifest_values(), changes))


# What is refused


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.licence": None}, "model.licence: missing. Licence of the weights"),
        ({"model.licence": ""}, "model.licence: blank. Licence of the weights"),
        ({"model.licence": " \n"}, "model.licence: blank"),
        ({"model.id": "../brain"}, 'model.id: "../brain" will not do. Name of the model for programs'),
        ({"model.version": "1"}, "model.version: "),
        ({"model.version": "01.0.0"}, "model.version: "),
        ({"model.version": "1.0.0-"}, "model.version: "),
        ({"model.title": "x" * 41}, "model.title: "),
        ({"model.title": "a\\b"}, "model.title: "),
        ({"model.task": "guess"}, "model.task: "),
        ({"graph.sha256": "ab"}, "graph.sha256: "),
        ({"graph.file": "../model.onnx"}, "graph.file: a file inside the package folder"),
        ({"graph.file": "/model.onnx"}, "graph.file: a file inside the package folder"),
        ({"graph.file": ""}, "graph.file: a file inside the package folder"),
        ({"graph.outputs": []}, "graph.outputs: "),
        ({**FLAT, "graph.context_slices": 4}, "graph.context_slices: an odd number"),
        ({**SLIDING, "graph.overlap": 1.0}, "graph.overlap: "),
        ({"channels.0.selection.min_slices": "10"}, 'channels["T1"].selection.min_slices: '),
        ({"channels.0.selection.sequence": "T3"}, 'channels["T1"].selection.sequence: '),
        ({"channels.0.selection.exclude_description": ["(field"]}, "not a regular expression"),
        ({"channels.0.intensity.clip_percentiles": [99, 1]}, "the first limit must be below the second"),
        ({"preprocess.orientation": "LRA"}, "one per patient axis"),
        ({"preprocess.orientation": "LIAS"}, "preprocess.orientation: "),
        ({"preprocess.spacing_mm": [0.0, 1, 1]}, "preprocess.spacing_mm[0]: "),
        ({"preprocess.shape": [16, 16]}, "preprocess.shape[2]: missing"),
        ({"labels.0.plausible_ml": [5.0, float("inf")]}, 'labels["Structure"].plausible_ml[1]: '),
        ({"labels.0.plausible_ml": [5.0, 1.0]}, "the first limit must be below the second"),
        ({"labels.0.type.meaning": "x" * 65}, 'labels["Structure"].type.meaning: '),
        ({"labels.0.type.value": "x" * 17}, 'labels["Structure"].type.value: '),
        ({"labels.0.colour_rgb": [256, 0, 0]}, 'labels["Structure"].colour_rgb[0]: '),
        ({"plausibility.total_ml": [float("nan"), 1.0]}, "plausibility.total_ml[0]: "),
        ({"labels.0.laterality": "middle"}, 'labels["Structure"].laterality: '),
        ({"labels.0.usual_ml": [5.0, 1.0]}, "the first limit must be below the second"),
        ({"publication.series_number": 0}, "publication.series_number: "),
        ({"publication.seg": "yes"}, "publication.seg: "),
        ({"channels": []}, "channels: "),
    ],
)
def test_a_wrong_value_is_named_by_its_place(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    """One fault, told with its key; what the key means stands beside it."""
    (fault,) = faults(tmp_path, changed(manifest_values(), changes))
    assert told in fault


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels.0.value": 2}, "labels: values must count up from 1"),
        (
            {"plausibility.ratios": [{"numerator": 1, "denominator": 9, "range": [0, 1]}]},
            "plausibility.ratios: a ratio",
        ),
        (
            {"plausibility.contrasts": [{"numerator": 7, "denominator": 1, "range": [0, 1]}]},
            "plausibility.contrasts:",
        ),
        ({"plausibility.ratios": [{"numerator": 1, "denominator": 1, "range": [0, 1]}]}, "to itself says nothing"),
        ({"channels.0.required": False}, "channels: the first channel is the reference and must be required"),
        ({"graph.outputs": ["a", "b"]}, 'graph.outputs: "label_map_logits" has 1, not 2'),
        ({**DETECTION, "graph.outputs": ["boxes"]}, 'graph.outputs: "detection" has 3, not 1'),
        ({**DETECTION, "graph.outputs": ["a", "b", "a"]}, 'graph.outputs: "a" is there twice'),
        ({"model.task": "detection"}, 'the task "detection" is answered with detection, not with label_map_logits'),
        ({"model.task": "tumor_detection", "output.kind": "label_map"}, "output.kind: "),
        ({"graph.layout": "slice"}, "preprocess.shape: layout = "),
        ({"preprocess.shape": [1, 64, 64]}, "a side has at least 8 voxels"),
        ({**FLAT, "preprocess.shape": [1, 64, 4]}, "a side has at least 8 voxels"),
        ({"preprocess.shape": [16, 16, 513]}, 'more than 512 voxels a side need placement = "sliding"'),
        ({**SLIDING, "preprocess.shape": [1024, 1024, 512]}, "more than 512 x 512 x 512 voxels"),
        ({"graph.mirror_axes": [1, 1]}, "graph.mirror_axes: axis 1 is there twice"),
        ({"graph.mirror_axes": [1], "output.kind": "label_map"}, "graph.mirror_axes: labels whose arg max"),
        ({**DETECTION, "graph.mirror_axes": [1]}, "graph.mirror_axes: boxes and points cannot be averaged"),
        ({**CLASSIFICATION, **SLIDING}, "preprocess.placement: classification looks at the whole field of view"),
        ({"channels.0.intensity.normalisation": "fixed"}, "needs mean and deviation"),
        (
            {"channels.0.intensity.clip_percentiles": [1, 99], "channels.0.intensity.clip_range": [0.0, 1.0]},
            "clip by percentiles or by a range, not by both",
        ),
        ({"labels.0.colour_rgb": None}, 'labels["Structure"].colour_rgb: what is drawn needs a colour'),
        ({**CLASSIFICATION, "publication.seg": True}, "publication.seg: classification draws nothing"),
    ],
)
def test_sections_that_contradict_each_other_are_told(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    """Each by itself is valid; together they are not."""
    (fault,) = faults(tmp_path, changed(manifest_values(), changes))
    assert told in fault


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"graph.overlap": 0.5}, "graph.overlap"),
        ({"graph.batch": 2}, "graph.batch"),
        ({**CLASSIFICATION, **FLAT, "graph.batch": 2}, "graph.batch"),
        ({"graph.context_slices": 1}, "graph.context_slices"),
        ({**FLAT, "graph.mirror_axes": [0]}, "graph.mirror_axes: a single slice"),
        ({"preprocess.registration": "rigid"}, "preprocess.registration"),
        ({"channels.0.selection.modality": "CT"}, 'channels["T1"].selection.sequence: only MR has one'),
        ({"channels.0.intensity.mean": 3.0}, 'channels["T1"].intensity: mean and deviation belong to'),
        ({"labels.0.threshold": 0.5}, 'labels["Structure"].threshold: labels of label_map_logits exclude'),
        ({**CLASSIFICATION, "labels.0.smallest_ml": 1.0}, 'labels["Structure"].smallest_ml: classification draws'),
        (
            {**CLASSIFICATION, "labels.0.plausible_ml": [0, 9]},
            'labels["Structure"].plausible_ml: classification draws',
        ),
        ({**DETECTION, "labels.0.colour_rgb": [1, 2, 3]}, 'labels["Structure"].colour_rgb: detection draws nothing'),
        ({**DETECTION, "plausibility.total_ml": [0, 9]}, "plausibility.total_ml: detection draws nothing"),
        ({**DETECTION, "publication.total": "All"}, "publication.total: detection draws nothing"),
        ({**DETECTION, "labels.0.diameters": True}, 'labels["Structure"].diameters: detection draws nothing'),
        ({**CLASSIFICATION, "labels.0.usual_ml": [1, 2]}, 'labels["Structure"].usual_ml: classification draws'),
        ({"labels.0.anatomy": CEREBRUM}, 'labels["Structure"].anatomy: an anatomical structure is where it is'),
        ({**DETECTION, "publication.parametric_map": True}, "publication.parametric_map: detection gives no"),
        (
            {"output.kind": "label_map", "publication.parametric_map": True},
            "publication.parametric_map: label_map gives no",
        ),
    ],
)
def test_a_setting_without_effect_is_told(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    """Whoever wrote it believes that it does something."""
    (fault,) = faults(tmp_path, changed(manifest_values(), changes))
    assert told in fault


def test_names_must_differ(tmp_path: Path) -> None:
    """Of labels, and of channels, where upper and lower case do not count."""
    values = manifest_values()
    twice = {**values, "labels": [values["labels"][0], {**values["labels"][0], "value": 2}]}
    assert faults(tmp_path, twice) == ('labels: label names must differ, and "Structure" is there twice',)
    (fault,) = faults(tmp_path, second_channel(values, name="t1"))
    assert "channel names must differ" in fault


def test_an_unknown_key_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    """A misspelt limit would silently not hold."""
    told = faults(tmp_path, changed(manifest_values(), {"labels.0.plausble_ml": [0, 9], "colour": "red"}))
    assert told == (
        'labels["Structure"].plausble_ml: unknown key; is plausible_ml meant?',
        "colour: unknown key",
    )


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    """Who fixes a manifest does it in one go; contradictions are told together as well."""
    wrong = {"model.licence": None, "preprocess.orientation": "XYZ", "labels.0.name": 5, "channels.0.selection.x": 1}
    assert [fault.split(":")[0] for fault in faults(tmp_path, changed(manifest_values(), wrong))] == [
        "model.licence",
        'channels["T1"].selection.x',
        "preprocess.orientation",
        "labels[0].name",
    ]
    contradictory = {"graph.overlap": 0.5, "labels.0.threshold": 0.4, "channels.0.required": False}
    assert len(faults(tmp_path, changed(manifest_values(), contradictory))) == 3


@pytest.mark.parametrize(("version", "told"), [(1, "[weights]"), (3, "says 3"), (None, "says nothing")])
def test_another_format_is_told_alone(tmp_path: Path, version: int | None, told: str) -> None:
    """A manifest of an earlier node would have a fault in every line; what has changed is said instead."""
    (fault,) = faults(tmp_path, changed(manifest_values(), {"schema_version": version, "model": {}}))
    assert fault.startswith("schema_version: ")
    assert told in fault


def test_the_error_carries_every_fault(tmp_path: Path) -> None:
    """What the catalogue and the API show."""
    path = write_manifest(tmp_path, changed(manifest_values(), {"model.licence": None, "output.kind": "x"}))
    with pytest.raises(ModelContractViolated) as caught:
        load_manifest(path)
    assert re.match(r"model\.licence: .*; output\.kind: ", caught.value.message)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"\xff\xfe\x00"),
        lambda path: path.write_text("schema_version = "),
        lambda path: path.write_text("a = " + "[" * 100_000),
    ],
    ids=["absent", "not UTF-8", "not TOML", "too deep"],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """A broken package, not a crash."""
    path = write_manifest(tmp_path, manifest_values())
    spoil(path)
    with pytest.raises(ModelContractViolated, match="cannot be read"):
        load_manifest(path)
