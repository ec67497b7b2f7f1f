"""What the Dockerfile promises: every image that compose builds, no root, pinned bases, nothing heavy in the API."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path, PurePath

import yaml

from tests.support.repository import REPOSITORY, tool

DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"


def stages() -> dict[str, str]:
    """Give each stage's text by name."""
    parts = re.split(r"^FROM (?=\S+ AS )", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]
    return {part.split(maxsplit=3)[2]: part for part in parts}


def test_every_image_that_compose_builds_has_its_stage() -> None:
    """And the stages that the README names are all in use."""
    targets = set()
    for path in (REPOSITORY / "docker").glob("compose*.yaml"):
        services = yaml.safe_load(path.read_text())["services"].values()
        targets |= {service["build"]["target"] for service in services if "build" in service}
    assert targets == {"node-cpu", "node-gpu", "api", "gateway", "fhir"}
    assert targets <= stages().keys()


def test_images_of_ours_do_not_run_as_root() -> None:
    """By number, so that an orchestrator can see it."""
    for name in ("node-cpu", "node-gpu", "api", "gateway", "fhir"):
        users = re.findall(r"^USER (\S+)$", stages()[name], flags=re.MULTILINE)
        assert users
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


def test_base_images_are_pinned() -> None:
    """A tag with a version for each."""
    bases = re.findall(r"^ARG \w+_IMAGE=(\S+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    assert len(bases) == 5
    assert all(re.fullmatch(r"[a-z/]+:v?\d[\w.-]*", base) for base in bases)


def test_python_packages_are_installed_with_their_hashes() -> None:
    """Every install is from a lock file with hashes, or is the project itself without dependencies."""
    installs = re.findall(r"pip install ([^\\\n]+)", DOCKERFILE.read_text())
    assert len(installs) == 5
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation" in line for line in installs)


def test_the_api_image_lacks_what_the_api_must_never_reach() -> None:
    """The import contract of setup.cfg, once more in the image."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    forbidden = setup["importlinter:contract:api-is-light"]["forbidden_modules"].split()
    removed = re.findall(r"pip uninstall --yes (.+)", stages()["build-api"])[0].split()
    assert set(forbidden) <= set(removed)


def test_hadolint_accepts_it_and_can_refuse(tmp_path: Path) -> None:
    """The linter of the Makefile, on the real file and on a bad one."""
    assert subprocess.run([tool("hadolint"), DOCKERFILE], capture_output=True, check=False).returncode == 0
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nRUN cd /tmp && pip install flask\n")
    assert subprocess.run([tool("hadolint"), bad], capture_output=True, check=False).returncode != 0


def test_the_build_context_holds_what_is_copied_and_no_data() -> None:
    """An allow-list: everything is kept out but what is named."""
    lines = (REPOSITORY / ".dockerignore").read_text().split()
    assert "*" in lines
    allowed = {line[1:].rstrip("/") for line in lines if line.startswith("!")}
    assert {"inference", "models", "integrations", "dicom_node", "control_api", "nginx", "setup.cfg"} <= allowed
    assert not allowed & {"tests", "docker", ".git", "data", "benchmarks", "."}


def test_everything_that_is_copied_is_in_the_build_context() -> None:
    """A file that .dockerignore keeps out would stop the build."""
    allowed = [line[1:].rstrip("/") for line in (REPOSITORY / ".dockerignore").read_text().split() if line[0] == "!"]
    for source in re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE.read_text(), flags=re.MULTILINE):
        path = source.rstrip("/")
        assert (REPOSITORY / path).exists()
        assert path == "." or any(PurePath(path).match(rule) or path.startswith(f"{rule}/") for rule in allowed)
