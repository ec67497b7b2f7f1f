"""The app's sources agree with the API, the gateway and the error tree; its linter can refuse."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from control_api.app_pages import PLACES
from inference.errors import NodeError, ReasonCode
from tests.support.repository import REPOSITORY
from tests.support.server_process import required_command

APP = REPOSITORY / "control_api" / "spa"
SOURCE = APP / "src"


def npm_tool(name: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a tool of the app's packages in its folder."""
    command = [required_command("node"), str(APP / "node_modules" / name), *arguments]
    return subprocess.run(command, cwd=APP, input=stdin, capture_output=True, text=True, timeout=120, check=False)


def leaves(error: type[NodeError]) -> Iterator[type[NodeError]]:
    """List the leaves of the error tree."""
    children = error.__subclasses__()
    if not children:
        yield error
    for child in children:
        yield from leaves(child)


# --- what must agree ----------------------------------------------------------------------------------------------


def test_gateway_app_and_api_have_the_same_addresses() -> None:
    """A link into the app opens it wherever it is served, and no other address does."""
    template = (REPOSITORY / "nginx" / "nginx.conf.template").read_text(encoding="utf-8")
    listed = re.search(r"location ~ \^/\(\?:\(\?:([a-z|-]+)\)\(\?:/\.\*\)\?\)\?\$", template)
    routes = re.findall(r'path="/([a-z-]+)', (SOURCE / "routes.tsx").read_text(encoding="utf-8"))

    assert listed is not None
    assert set(listed[1].split("|")) == set(PLACES) == set(routes)


def test_every_reason_and_error_is_said_in_both_languages() -> None:
    """What a person is told must not depend on whether they read English."""
    said = set(re.findall(r'(?m)^  "([a-z0-9_.]+)":', (SOURCE / "i18n" / "reasons.ts").read_text(encoding="utf-8")))

    assert {reason.value for reason in ReasonCode} | {error.code for error in leaves(NodeError)} <= said


def test_the_client_knows_all_that_the_api_offers() -> None:
    """Its types are generated from docs/openapi.json (``npm run types``): no path, document or member is missing."""
    description: dict[str, Any] = json.loads((REPOSITORY / "docs" / "openapi.json").read_text(encoding="utf-8"))
    types = (SOURCE / "api" / "schema.d.ts").read_text(encoding="utf-8")

    paths = [path for path in description["paths"] if f'"{path}": {{' not in types]
    missing = [
        f"{name}.{member}"
        for name, schema in description["components"]["schemas"].items()
        for member in schema.get("properties", {})
        if not re.search(
            rf"^        {re.escape(name)}: {{.*?^            {re.escape(member)}\??:", types, re.MULTILINE | re.DOTALL
        )
    ]
    assert (paths, missing) == ([], [])


def test_no_text_of_the_app_is_read_as_markup_or_kept_where_scripts_read() -> None:
    """Descriptions come from DICOM headers, which anybody can write; tokens live in memory only."""
    for source in [*SOURCE.rglob("*.ts"), *SOURCE.rglob("*.tsx")]:
        text = source.read_text(encoding="utf-8")
        assert not re.search(r"dangerouslySetInnerHTML=|\.innerHTML\s*=|document\.write\(|\beval\(", text), source
        if source.name not in {"preferences.ts", "client.test.ts"}:
            assert not re.search(r"localStorage\.|sessionStorage\.|document\.cookie", text), source


# --- the tools can refuse -----------------------------------------------------------------------------------------


BAD = {
    "export const A = () => <p dangerouslySetInnerHTML={{ __html: name }} />;": "no-restricted-syntax",
    'localStorage.setItem("token", "x");': "no-restricted-globals",
    "export const B = () => <img src='/x.png' />;": "jsx-a11y/alt-text",
    "export const c: any = 1;": "no-explicit-any",
}
"""Markup from headers, tokens in a storage, pictures without words, untyped values; and the rule that each breaks."""


def test_the_linter_refuses() -> None:
    """Each kind of bad code is found, in its own line; ``make lint`` runs the linter over the app."""
    done = npm_tool("eslint/bin/eslint.js", "--stdin", "--stdin-filename", "src/main.tsx", stdin="\n".join(BAD))

    found = {int(line): rule for line, rule in re.findall(r"(?m)^ +(\d+):\d+ +error .* (\S+)$", done.stdout)}
    assert done.returncode == 1, done.stderr
    for number, rule in enumerate(BAD.values(), start=1):
        assert re.search(rf"(?m)^ +{number}:\d+ +error .*{re.escape(rule)}$", done.stdout), (rule, found)


def test_making_checks_the_app_too() -> None:
    """``make lint`` and ``make types`` run the app's linter, formatter and compiler."""
    recipes = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    scripts = json.loads((APP / "package.json").read_text(encoding="utf-8"))["scripts"]

    assert {"lint", "check"} <= set(re.findall(r"npm --prefix \$\(SPA\) run --silent (\w+)", recipes))
    assert scripts["lint"] == "eslint . --max-warnings 0 && prettier --check ."
    assert scripts["check"] == "tsc --noEmit"
