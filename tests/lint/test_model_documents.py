"""What the documents say of a manifest must be what the node reads."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from inference.domain.model_spec import ModelSpec, OutputKind, Task
from models.catalogue import builtin_models_root
from models.golden_file import GOLDEN_FOLDER, GOLDEN_NAME
from models.golden_numbers import POSITIONS
from models.inspection import MODEL_CARD
from models.manifest import MANIFEST_NAME, manifest_schema, read_manifest
from models.manifest_sections import (
    ChannelSection,
    CodeSection,
    GraphSection,
    IntensitySection,
    LabelSection,
    Manifest,
    ModelSection,
    OutputSection,
    PlausibilitySection,
    PreprocessSection,
    PublicationSection,
    RatioSection,
    Section,
    SelectionSection,
)
from tests.support.repository import REPOSITORY

SCHEMA = REPOSITORY / "docs" / "model-manifest.schema.json"
PAGE = (REPOSITORY / "docs" / "model-packages.md").read_text(encoding="utf-8")

SECTIONS: dict[str, type[Section]] = {
    "Top": Manifest,
    "model": ModelSection,
    "graph": GraphSection,
    "channels": ChannelSection,
    "channels.selection": SelectionSection,
    "channels.intensity": IntensitySection,
    "preprocess": PreprocessSection,
    "output": OutputSection,
    "publication": PublicationSection,
    "labels": LabelSection,
    "codes": CodeSection,
}

ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| .+ \|$", re.MULTILINE)

EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def documented(heading: str) -> dict[str, str]:
    """Give the default by key, of the tables with keys below a heading."""
    _, _, rest = PAGE.partition(f"\n### {heading}\n")
    text = re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]
    tables = [table for table in text.split("\n\n") if table.startswith("| key |")]
    return dict(ROW.findall("\n\n".join(tables)))


def defaults(section: type[Section]) -> dict[str, str | None]:
    """Give the default by key as the page must have it; None where it says it in words."""
    schema = section.model_json_schema()
    optional = {name: _default(field) for name, field in schema["properties"].items()}
    return optional | dict.fromkeys(schema.get("required", ()), "required")


def _default(field: dict[str, object]) -> str | None:
    default = field.get("default")
    return None if default is None or isinstance(default, dict) else f"`{json.dumps(default)}`"


def test_the_schema_is_the_one_that_the_node_prints() -> None:
    """Paste what ``dicom-node models schema`` prints."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == manifest_schema()


def test_every_key_is_described_in_the_schema() -> None:
    """An editor shows these texts."""
    schema = manifest_schema()
    for table in (schema, *schema["$defs"].values()):
        for name, key in table.get("properties", {}).items():
            section = schema["$defs"].get(key.get("$ref", "").rpartition("/")[2], {})
            assert key.get("description") or section.get("description"), name


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_page_explains_the_keys_that_there_are(heading: str) -> None:
    """Each with its default, or that it is required."""
    told, true = documented(heading), defaults(SECTIONS[heading])
    assert told.keys() == true.keys()
    assert {name: told[name] for name, default in true.items() if default} == {n: d for n, d in true.items() if d}


def test_the_page_explains_the_limits() -> None:
    """Two tables stand under one heading."""
    true = defaults(PlausibilitySection) | defaults(RatioSection)
    told = documented("plausibility")
    assert told.keys() == true.keys()
    assert told["numerator"] == "required"


@pytest.mark.parametrize("name", [*OutputKind, *Task])
def test_the_page_names_every_kind_and_task(name: str) -> None:
    """Also in the first column of a table, or in the text."""
    assert f"`{name}`" in PAGE


def test_the_page_names_the_files_of_a_package() -> None:
    """As the node looks for them."""
    for name in (MANIFEST_NAME, MODEL_CARD, f"{GOLDEN_FOLDER}/{GOLDEN_NAME}"):
        assert name in PAGE
    assert f"k = 1 to {POSITIONS}" in PAGE


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_of_the_page_is_a_manifest(tmp_path: Path, number: int) -> None:
    """Read by the node, and valid by the schema."""
    (tmp_path / MANIFEST_NAME).write_text(EXAMPLES[number], encoding="utf-8")
    read = read_manifest(tmp_path / MANIFEST_NAME)
    assert isinstance(read, ModelSpec), read
    jsonschema.validate(tomllib.loads(EXAMPLES[number]), manifest_schema())


def test_the_page_has_its_examples() -> None:
    """A MONAI bundle, nnU-Net, a classifier, a tumour: one of each task but detection, and each layout."""
    assert len(EXAMPLES) == 4
    tasks = {tomllib.loads(example)["model"].get("task", "segmentation") for example in EXAMPLES}
    assert tasks == {"segmentation", "classification", "tumor_detection"}


def test_the_built_in_manifests_are_valid_by_the_schema() -> None:
    """An editor finds no fault in them; and the schema finds one where the node does."""
    manifests = list(builtin_models_root().glob(f"*/{MANIFEST_NAME}"))
    assert manifests
    for path in manifests:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(document, manifest_schema())
        document["model"]["licence"] = ""
        with pytest.raises(jsonschema.ValidationError, match="does not match"):
            jsonschema.validate(document, manifest_schema())
