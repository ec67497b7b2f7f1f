"""Real servers are asked whether they are there, as the settings name them, and the answers are written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from dicom_node.peer_probes import PeerRounds
from inference.domain.node_report import PeerKind
from integrations.configured_peers import configured_peers
from integrations.persistence.node_reports import SQLPeerLog
from integrations.settings import Settings
from integrations.system import SystemClock
from tests.support.hl7_listener import listening
from tests.support.orthanc_server import OrthancOptions, OrthancServer, running_orthanc

if TYPE_CHECKING:  # pytest rewrites that module when it loads it as a plugin
    from tests.support.fhir_server import FHIRServer

pytestmark = pytest.mark.integration

SECRET = "s" * 40


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[OrthancServer]:
    """Give an empty archive."""
    with running_orthanc(tmp_path / "orthanc", OrthancOptions({})) as server:
        yield server


def test_every_kind_of_server_answers_and_is_missed(
    database: Engine, orthanc: OrthancServer, fhir_server: FHIRServer, tmp_path: Path
) -> None:
    """C-ECHO, REST, QIDO-RS, the capability statement and MLLP; one that is stopped is missed, the others are not."""
    with listening() as ris:
        file = tmp_path / "destinations.toml"
        dicom = f'dicom = "ORTHANC@127.0.0.1:{orthanc.dicom_port}"\nrest = "{orthanc.url}"'
        stow = f'stow = "{orthanc.dicom_web_url}"'
        file.write_text(f'[[destination]]\nname = "pacs"\n{dicom}\n[[destination]]\nname = "web"\n{stow}\n')
        settings = Settings(
            data_dir=tmp_path,
            queue_secret=SECRET,  # type: ignore[arg-type]
            jwt_secret=SECRET,  # type: ignore[arg-type]
            destinations=file,
            report_url=fhir_server.base_url,
            hl7=("127.0.0.1", ris.port),
        )
        log = SQLPeerLog(database, SystemClock())
        rounds = PeerRounds(configured_peers(settings), log, SystemClock())

        rounds.round()
        there = {outcome.name: outcome for outcome in log.all()}
        orthanc.stop()
        rounds.round()
        then = {outcome.name: outcome for outcome in log.all()}

    assert {name: outcome.kind for name, outcome in there.items()} == {
        "HL7 receiver": PeerKind.HL7,
        "pacs": PeerKind.DICOM,
        "pacs (REST)": PeerKind.ORTHANC,
        "report server": PeerKind.FHIR,
        "web": PeerKind.DICOMWEB,
    }
    assert [outcome.failure for outcome in there.values()] == [None] * 5
    assert all(outcome.reachable_at == outcome.probed_at and outcome.seconds > 0 for outcome in there.values())
    missed = {name for name, outcome in then.items() if not outcome.reachable}
    assert missed == {"pacs", "pacs (REST)", "web"}
    assert all(then[name].reachable_at == there[name].probed_at for name in missed)
