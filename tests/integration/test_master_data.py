"""Master data through the gateway: what Nginx does to tags and files on the way."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from integrations.masterdata.files import MOST_BYTES
from tests.support.api_process import PASSWORD, start_api
from tests.support.nginx_server import start_gateway

pytestmark = pytest.mark.integration

MEDICATIONS = "/api/ocs/medications"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Give an administrator's client of the gateway."""
    api = start_api(tmp_path_factory.mktemp("api"), {"chief": "admin"})
    gateway = start_gateway(tmp_path_factory.mktemp("gateway"), api.address)
    with httpx.Client(base_url=gateway.url, timeout=60) as client:
        login = client.post("/api/auth/login", json={"username": "chief", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        yield client
    gateway.stop()
    api.stop()


def test_a_tag_that_was_made_weak_still_names_its_version(client: httpx.Client) -> None:
    """Nginx compresses the answer, so it weakens the tag; what was read can be changed all the same."""
    entry = {"code": "LONG", "name_en": "x" * 255, "name_ko": "도네페질" * 60}
    client.post(MEDICATIONS, json=entry).raise_for_status()

    shown = client.get(f"{MEDICATIONS}/LONG")
    assert (shown.headers["Content-Encoding"], shown.headers["ETag"]) == ("gzip", 'W/"v1"')
    changed = client.put(f"{MEDICATIONS}/LONG", json=entry | {"name_en": "y"}, headers={"If-Match": 'W/"v1"'})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    late = client.put(f"{MEDICATIONS}/LONG", json=entry, headers={"If-Match": 'W/"v1"'})
    assert (late.status_code, late.headers["Content-Type"]) == (412, "application/problem+json")


def test_a_list_is_not_sent_twice(client: httpx.Client) -> None:
    """Also compressed: a poll that finds nothing new is a few bytes."""
    first = client.get(MEDICATIONS)
    again = client.get(MEDICATIONS, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_a_large_file_is_taken_over_and_one_that_is_too_large_is_not(client: httpx.Client) -> None:
    """Twenty thousand entries with Korean names, in one transaction; the same again changes nothing."""
    lines = [f"B{number},Medication {number},의약품 {number}" for number in range(20_000)]
    table = "\n".join(["code,name_en,name_ko", *lines]).encode("cp949")
    options = {"content": table, "headers": {"Content-Type": "text/csv"}}

    first = client.post(f"{MEDICATIONS}/import", **options).json()  # type: ignore[arg-type]
    again = client.post(f"{MEDICATIONS}/import", **options).json()  # type: ignore[arg-type]

    assert (first["created"], again["created"], again["unchanged"]) == (20_000, 0, 20_000)
    found = client.get(MEDICATIONS, params={"q": "의약품 19999"}).json()["items"]
    assert [entry["code"] for entry in found] == ["B19999"]
    options["content"] = b"x" * (MOST_BYTES + 1)
    assert client.post(f"{MEDICATIONS}/import", **options).status_code == 413  # type: ignore[arg-type]
