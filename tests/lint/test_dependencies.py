"""The lock files must be whole, hashed, and never mix the two ONNX Runtimes."""

from __future__ import annotations

import configparser
import re
from importlib.metadata import metadata
from itertools import pairwise

import pytest

from tests.support.repository import REPOSITORY

LOCKS = ("build.txt", "cpu.txt", "gpu.txt", "dev.txt", "dev-gpu.txt")

PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,._-]+\])?==([^\s;\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Give the pinned version by package."""
    return dict(PIN.findall((REPOSITORY / "requirements" / name).read_text()))


def wanted(*extras: str) -> set[str]:
    """Give the names of the packages that setup.cfg asks for."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    lines = setup["options"]["install_requires"].split("\n")
    lines += [line for extra in extras for line in setup["options.extras_require"][extra].split("\n")]
    names = (re.match(r"[A-Za-z0-9._-]+", line.strip()) for line in lines)
    return {re.sub(r"[._-]+", "-", name.group().lower()) for name in names if name}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes(name: str) -> None:
    """``--require-hashes`` must not be the first to say so."""
    text = (REPOSITORY / "requirements" / name).read_text()
    starts = [match.start() for match in PIN.finditer(text)] + [len(text)]
    assert len(starts) > 1
    assert all("--hash=sha256:" in text[start:end] for start, end in pairwise(starts))


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("cpu.txt", ("cpu",)),
        ("gpu.txt", ("gpu",)),
        ("dev.txt", ("cpu", "dev")),
        ("dev-gpu.txt", ("gpu", "dev")),
    ],
)
def test_everything_that_setup_cfg_asks_for_is_pinned(name: str, extras: tuple[str, ...]) -> None:
    """A dependency that was added without ``make lock`` would be missing after ``make install``."""
    assert not wanted(*extras) - {re.sub(r"[._-]+", "-", package) for package in pins(name)}


def test_the_two_runtimes_are_never_together() -> None:
    """Side by side, onnxruntime and onnxruntime-gpu break each other."""
    for name in LOCKS[1:]:
        found = pins(name).keys() & {"onnxruntime", "onnxruntime-gpu"}
        assert found == {"onnxruntime-gpu" if "gpu" in name else "onnxruntime"}


def test_what_is_tested_is_what_runs() -> None:
    """Development locks pin the same versions as the locks that users install."""
    for runtime, development in (("cpu.txt", "dev.txt"), ("gpu.txt", "dev-gpu.txt")):
        assert pins(runtime).items() <= pins(development).items()


def test_nothing_that_runs_with_the_node_is_under_the_gpl() -> None:
    """Decoders of some codecs are; a hospital, or a vendor, must be able to ship what it installs."""
    assert [package for package in pins("cpu.txt") if "GPL" in licence(package)] == []


def licence(package: str) -> str:
    """Give what a package says of its licence, in a word; its whole text may quote others."""
    said = metadata(package)
    words = [*said.get_all("License-Expression", []), *said.get_all("License", []), *said.get_all("Classifier", [])]
    return " ".join(word.splitlines()[0] for word in words if word.strip())
