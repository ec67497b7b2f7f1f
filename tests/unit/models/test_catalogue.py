"""The catalogue lists what can be used, says what cannot, and keeps the two apart; weights are checked by digest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inference.errors import ModelNotFound, WeightsMismatch
from models.catalogue import FolderCatalogue, builtin_models_root
from models.weights import verify

BUILT_IN = builtin_models_root() / "brain_structures"


def package(root: Path, folder: str, model_id: str | None = None) -> Path:
    """Copy the built-in package, under another id if one is given."""
    target = root / folder
    target.mkdir(parents=True)
    for name in ("manifest.toml", "model.onnx"):
        shutil.copy(BUILT_IN / name, target / name)
    if model_id:
        manifest = target / "manifest.toml"
        manifest.write_text(manifest.read_text().replace('id = "brain_structures"', f'id = "{model_id}"'))
    return target


def ids(catalogue: FolderCatalogue) -> list[str]:
    return [spec.reference.model_id for spec in catalogue.active()]


def test_the_built_in_model_is_there_and_whole() -> None:
    """The package that comes with the node has the weights that its manifest names."""
    catalogue = FolderCatalogue([builtin_models_root()])
    assert ids(catalogue) == ["brain_structures"]
    assert catalogue.broken == ()
    verify(catalogue.get("brain_structures"))


def test_packages_of_all_roots_are_listed_in_order(tmp_path: Path) -> None:
    """Order of id, whatever the folders are called; a folder without manifest is none of them."""
    package(tmp_path / "a", "one", "zebra")
    package(tmp_path / "b", "two", "ant")
    (tmp_path / "b" / "notes").mkdir()
    assert ids(FolderCatalogue([tmp_path / "a", tmp_path / "b"])) == ["ant", "zebra"]


def test_a_broken_package_does_not_take_the_others_down(tmp_path: Path) -> None:
    """It is listed with its fault, and not offered."""
    package(tmp_path, "good")
    bad = package(tmp_path, "bad", "bad")
    (bad / "manifest.toml").write_text("nonsense = true")
    catalogue = FolderCatalogue([tmp_path])
    assert ids(catalogue) == ["brain_structures"]
    (broken,) = catalogue.broken
    assert broken.folder == bad
    assert "nonsense" in broken.reason


def test_packages_that_share_an_id_are_not_guessed_between(tmp_path: Path) -> None:
    """Neither is offered, both are listed."""
    package(tmp_path, "one")
    package(tmp_path, "two")
    package(tmp_path, "three", "other")
    catalogue = FolderCatalogue([tmp_path])
    assert ids(catalogue) == ["other"]
    assert {broken.folder.name for broken in catalogue.broken} == {"one", "two"}
    with pytest.raises(ModelNotFound):
        catalogue.get("brain_structures")


def test_a_root_named_twice_is_read_once(tmp_path: Path) -> None:
    """The same folder by two names is no duplicate id."""
    package(tmp_path, "one")
    assert ids(FolderCatalogue([tmp_path, tmp_path / "one" / ".."])) == ["brain_structures"]


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A misspelt models folder shows, and the rest works."""
    catalogue = FolderCatalogue([tmp_path / "absent", builtin_models_root()])
    assert ids(catalogue) == ["brain_structures"]
    assert catalogue.broken[0].folder == tmp_path / "absent"


def test_an_unknown_model_is_not_found() -> None:
    """The message does not repeat what was asked for: it may come from outside."""
    with pytest.raises(ModelNotFound) as caught:
        FolderCatalogue([]).get("<script>")
    assert "<script>" not in caught.value.message


@pytest.mark.parametrize("spoil", ["change", "remove"])
def test_other_weights_are_refused(tmp_path: Path, spoil: str) -> None:
    """A file that was swapped, cut or lost is never run."""
    weights = package(tmp_path, "one") / "model.onnx"
    if spoil == "remove":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(WeightsMismatch):
        verify(FolderCatalogue([tmp_path]).get("brain_structures"))
