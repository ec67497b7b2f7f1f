"""A running node follows what a person decides about models: with the next series, in every process, unrestarted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.support.embedded_node import Embedded, running_embedded, versions
from tests.support.hospital import jobs_of
from tests.support.package_folders import Package, write_package
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

ID = "bright_tissue"
REASON = "it mixes up left and right"


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    """Run an embedded node."""
    with running_embedded(tmp_path, "radiologist") as node:
        yield node


def test_a_running_node_follows(embedded: Embedded, tmp_path: Path) -> None:
    """Added, activated, tried, rolled back, recalled: each decision holds for the study that is sent after it.

    No line of any log names the patient.
    """
    assert versions(embedded.send()) == {}

    embedded.models("add", str(write_package(tmp_path / "first", Package("1.0.0", golden=True))))
    assert versions(embedded.send()) == {}
    embedded.models("activate", ID)
    published = embedded.send()
    assert versions(published) == {"1.0.0": ("COMPLETED", False)}
    objects, reports = len(embedded.objects()), len(embedded.reports())
    assert (objects, reports) == (5, 1)

    embedded.models("add", str(write_package(tmp_path / "second", Package("1.1.0", threshold=0.6, golden=True))))
    embedded.models("shadow", ID, "1.1.0")
    beside = embedded.send()
    assert versions(beside) == {"1.0.0": ("COMPLETED", False), "1.1.0": ("COMPLETED", True)}
    assert (len(embedded.objects()), len(embedded.reports())) == (2 * objects, 2 * reports)

    embedded.models("activate", ID, "1.1.0")
    assert versions(embedded.send()) == {"1.1.0": ("COMPLETED", False)}
    listed = {
        card["version"]: card["deployment"] for card in embedded.get("/api/models")["models"] if card["id"] == ID
    }
    assert listed == {"1.0.0": "inactive", "1.1.0": "active"}
    embedded.models("rollback", ID)
    assert versions(embedded.send()) == {"1.0.0": ("COMPLETED", False)}

    embedded.models("recall", ID, "1.0.0", "--reason", REASON)
    wait_until(lambda: len(embedded.get("/api/jobs?state=WITHDRAWN")["items"]) == 3, 60, "three withdrawals")
    (job,) = (embedded.get(f"/api/jobs/{job['job_id']}") for job in jobs_of(published))
    assert (job["withdrawn"]["reason"], job["valid"], job["measurements"]) == (REASON, False, [])
    assert len(embedded.get("/api/jobs?shadow=true&state=COMPLETED")["items"]) == 1
    assert versions(embedded.send()) == {}
    bundles = [json.loads(path.read_text()) for path in embedded.reports()]
    resources = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
    found = [resource["status"] for resource in resources if resource["resourceType"] == "DiagnosticReport"]
    assert sorted(found) == ["entered-in-error"] * 3 + ["preliminary"]
    modalities = [str(dcmread(path, stop_before_pixels=True).Modality) for path in embedded.objects()]
    assert {name: modalities.count(name) for name in modalities} == {"SEG": 4, "SR": 4, "OT": 4, "DOC": 4, "KO": 7}
    logs = embedded.node.logs()
    assert '"errand": "withdrawal"' in logs
    assert not any(value in logs for value in ("Phantom^Test", "TEST-1", published["study_uid"]))
