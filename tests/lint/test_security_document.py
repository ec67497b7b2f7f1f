"""docs/security.md names tests; they must exist, and each of the ten items must have some."""

from __future__ import annotations

import re

from tests.support.repository import REPOSITORY

ITEM = re.compile(r"^\| (API\d+) [^|]+\| [^|]+\| ([^|]+) \|$", re.MULTILINE)
DEFINED = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
OURS = "flask_jwt_extended"


def _items() -> dict[str, list[str]]:
    text = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    return {item: re.findall(r"`(test_\w+)`", tests) for item, tests in ITEM.findall(text)}


def test_each_of_the_ten_has_tests() -> None:
    """A list without proof is a wish."""
    items = _items()

    assert list(items) == [f"API{number}" for number in range(1, 11)]
    assert all(items.values())


def test_every_test_that_is_named_exists() -> None:
    """A test that was renamed would leave the list a wish."""
    defined = {
        name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in DEFINED.findall(path.read_text(encoding="utf-8"))
    }

    assert {name for tests in _items().values() for name in tests} - defined == set()


def test_who_asks_is_asked_in_one_place() -> None:
    """Views take ``current_user`` from ``control_api.auth.principal``: the library's knows no programs."""
    package = REPOSITORY / "control_api"
    users = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if OURS in path.read_text(encoding="utf-8")
    }

    assert users == {"auth/tokens.py"}
