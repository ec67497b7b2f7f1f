"""The composition roots choose the adapters that the settings name."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest
from pydicom import dcmread
from structlog.testing import capture_logs

from dicom_node import bootstrap
from dicom_node.bootstrap import build_receiver, build_worker, prepare
from dicom_node.worker import Worker, WorkOptions, WorkPlaces
from inference.domain.arrival import ArrivalHeader, Decision
from inference.domain.artifact import ArtifactKind, Segmentation
from inference.domain.delivery import Wanted
from inference.domain.identifiers import AETitle, JobID
from inference.domain.job import JobState, NewJob, QueueName
from inference.domain.model_spec import Deployment
from inference.domain.study import CompletionEvidence
from inference.errors import ConfigurationError, StoreUnavailable
from integrations.dicomweb.stow import STOWSink
from integrations.fhir.client import HAPIReportSink
from integrations.fhir.folder import FolderReportSink
from integrations.hl7.mllp import MLLPReportSink
from integrations.orthanc.commitment import StorageCommitment
from integrations.orthanc.folder import FolderArchive
from integrations.orthanc.rest import RESTReadBack
from integrations.orthanc.store_scu import FindReadBack, StoreSCUSink
from integrations.persistence.engine import make_engine
from integrations.persistence.job_store import SQLJobStore
from integrations.persistence.migrations import is_current, upgrade
from integrations.persistence.study_index import SQLStudyIndex
from integrations.settings import Settings
from integrations.system import RandomUIDSource, SystemClock
from models.deployment import note_decision
from tests.support.dcmtk import echoscu
from tests.support.relaxed_model import MODEL_ID, write_relaxed_model
from tests.support.small_analysis import write_blocks
from tests.support.synthetic_series import revision_of
from tests.support.waiting import wait_until

SECRETS = {"NODE_QUEUE_SECRET": "s" * 40, "NODE_JWT_SECRET": "s" * 40}


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the environment of an embedded node that looks for work all the time."""
    monkeypatch.setattr(bootstrap, "configure_logs", lambda _: None)
    return {
        "NODE_DATA_DIR": str(tmp_path / "data"),
        "NODE_DICOM_HOST": "127.0.0.1",
        "NODE_DICOM_PORT": "0",
        "NODE_REAP_INTERVAL_S": "0.05",
        "NODE_EXECUTION_PROVIDER": "cpu",
    }


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[tuple[WorkPlaces, WorkOptions]]:
    """Give what workers are made of, as they are made."""
    made: list[tuple[WorkPlaces, WorkOptions]] = []

    def worker(given: WorkPlaces, options: WorkOptions) -> Worker:
        made.append((given, options))
        return Worker(given, options)

    monkeypatch.setattr(bootstrap, "Worker", worker)
    return made


def test_the_embedded_default_needs_no_server(
    environment: dict[str, str], places: list[tuple[WorkPlaces, WorkOptions]]
) -> None:
    """A folder as archive, bundles as files."""
    build_worker(prepare(environment), QueueName.DELIVERY, 1)
    ((made, options),) = places
    (archive,) = made.destinations.archives
    assert isinstance(archive.sink, FolderArchive)
    assert isinstance(made.destinations.reports["fhir"], FolderReportSink)
    assert (options.max_attempts, options.delivery_deadline_hours) == (3, 72.0)


@pytest.fixture
def recalled(environment: dict[str, str]) -> Settings:
    """Give the settings of a node on which the built-in model was recalled."""
    settings = prepare(environment)
    (model,) = (spec.reference for spec in bootstrap.build_catalogue(settings).active())
    note_decision(bootstrap.build_deployment_places(settings), model, Deployment.RECALLED, "it is faulty")
    return settings


def test_what_was_decided_holds_in_every_process(
    recalled: Settings, places: list[tuple[WorkPlaces, WorkOptions]]
) -> None:
    """A worker, the command line and an offline run ask the same log."""
    build_worker(recalled, QueueName.INFERENCE, 1)
    ((made, _),) = places

    offline = bootstrap.build_offline(recalled).catalogue
    for catalogue in (made.catalogue, bootstrap.build_catalogue(recalled), offline):
        assert catalogue.active() == ()


def test_offline_work_asks_no_server(environment: dict[str, str]) -> None:
    """Where the node's database is a server, ``infer`` runs what came with the node."""
    environment |= {"NODE_DATABASE_URL": "mysql://nobody@127.0.0.1:1/nothing", **SECRETS}
    settings = bootstrap.load(environment)

    assert len(bootstrap.build_offline(settings).catalogue.active()) == 1
    with pytest.raises(StoreUnavailable):
        bootstrap.build_catalogue(settings)


def test_a_database_of_an_older_node_has_decided_nothing(environment: dict[str, str]) -> None:
    """``models list`` works before the schema is brought up to date, and does not do that by the way."""
    settings = bootstrap.load(environment)
    engine = make_engine(settings)
    upgrade(engine, "0001")

    assert len(bootstrap.build_catalogue(settings).active()) == 1
    assert not is_current(engine)


def test_each_worker_process_has_a_name_of_its_own(
    environment: dict[str, str], places: list[tuple[WorkPlaces, WorkOptions]]
) -> None:
    """Leases tell processes apart, also on one machine."""
    settings = prepare(environment)
    for _ in range(2):
        build_worker(settings, QueueName.INFERENCE, 1)
    assert len({options.owner for _, options in places}) == 2


@pytest.mark.parametrize(("rest", "confirmation"), [(None, FindReadBack), ("http://127.0.0.1:8042", RESTReadBack)])
def test_named_servers_are_used(
    environment: dict[str, str],
    places: list[tuple[WorkPlaces, WorkOptions]],
    rest: str | None,
    confirmation: type[object],
) -> None:
    """C-STORE to the archive with the strongest confirmation that is configured, and the FHIR server."""
    servers = {"NODE_ARCHIVE": "ORTHANC@127.0.0.1:4242", "NODE_REPORT_URL": "http://127.0.0.1:8080/fhir"}
    rest_settings = {"NODE_ARCHIVE_REST_URL": rest, "NODE_ARCHIVE_REST_USER": "node"} if rest else {}
    build_worker(prepare({**environment, **servers, **rest_settings}), QueueName.DELIVERY, 1)
    ((made, _),) = places
    (archive,) = made.destinations.archives
    assert isinstance(archive.sink, StoreSCUSink)
    assert isinstance(archive.sink._confirmation, confirmation)
    assert isinstance(made.destinations.reports["fhir"], HAPIReportSink)


DESTINATIONS = """
[[destination]]
name = "pacs"
dicom = "PACS@127.0.0.1:11112"
confirm = "commitment"
notes = true

[[destination]]
name = "research"
stow = "http://127.0.0.1:8042/dicom-web"
objects = ["SEG", "PM"]
segmentation = "labelmap"
"""


def test_a_file_of_destinations_is_used(
    environment: dict[str, str], places: list[tuple[WorkPlaces, WorkOptions]], tmp_path: Path
) -> None:
    """In its order, instead of the one archive; report servers are told beside them."""
    (tmp_path / "destinations.toml").write_text(DESTINATIONS)
    environment |= {
        "NODE_DESTINATIONS": str(tmp_path / "destinations.toml"),
        "NODE_COMMITMENT_PORT": "11113",
        "NODE_HL7": "127.0.0.1:2575",
    }
    build_worker(prepare(environment), QueueName.DELIVERY, 1)
    ((made, _),) = places

    pacs, research = made.destinations.archives
    assert isinstance(pacs.sink, StoreSCUSink)
    assert isinstance(pacs.sink._confirmation, StorageCommitment)
    assert (pacs.name, pacs.notes, pacs.wanted) == ("pacs", True, Wanted())
    assert isinstance(research.sink, STOWSink)
    assert research.wanted == Wanted(frozenset({ArtifactKind.SEG, ArtifactKind.PM}), Segmentation.LABELMAP)
    assert [type(sink) for sink in made.destinations.reports.values()] == [FolderReportSink, MLLPReportSink]


def test_commitment_without_a_port_is_a_fault_of_the_settings(environment: dict[str, str], tmp_path: Path) -> None:
    """Said at start, not when the first result is delivered."""
    (tmp_path / "destinations.toml").write_text(DESTINATIONS)
    environment["NODE_DESTINATIONS"] = str(tmp_path / "destinations.toml")
    with pytest.raises(ConfigurationError, match="pacs"):
        build_worker(prepare(environment), QueueName.DELIVERY, 1)


def test_a_database_that_cannot_be_prepared_is_an_error_of_ours(environment: dict[str, str], tmp_path: Path) -> None:
    """A person gets a line, at the start; a supervisor may try again."""
    environment["NODE_DATABASE_URL"] = f"sqlite:///{tmp_path}/no/such/folder/node.sqlite3"
    with pytest.raises(StoreUnavailable):
        prepare(environment)


@pytest.mark.parametrize("secrets", [{}, SECRETS], ids=["kept", "given"])
def test_a_data_folder_that_cannot_be_made_is_a_fault_of_the_settings(
    environment: dict[str, str], tmp_path: Path, secrets: dict[str, str]
) -> None:
    """Whether or not secrets are to be kept in it."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"cannot be (made|kept)"):
        prepare({**environment, **secrets, "NODE_DATA_DIR": str(tmp_path / "file" / "data")})


def test_the_receiver_process_answers_and_stops(environment: dict[str, str]) -> None:
    """It listens once it runs, and nobody listens after it was told to stop."""
    process, stop = build_receiver(prepare(environment)), Event()
    thread = Thread(target=process.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: listening(process) and echoscu(port_of(process)).returncode == 0, 20, "an answer")
        port = port_of(process)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    assert echoscu(port).returncode != 0


def port_of(process: object) -> int:
    """Give the port that the system chose."""
    port: int = process._receiver.port  # type: ignore[attr-defined]
    return port


def listening(process: object) -> bool:
    """Tell whether the receiver has a port yet."""
    try:
        return port_of(process) > 0
    except (AssertionError, RuntimeError, AttributeError, IndexError):
        return False


def arrived(settings: Settings) -> JobID:
    """Put a series into the spool and the database, as the receiver process does, and give its job."""
    index = SQLStudyIndex(make_engine(settings), SystemClock(), settings.spool_dir)
    series = revision_of(write_blocks(settings.spool_dir / "series"))
    for instance in series.instances:
        index.add(instance, ArrivalHeader(), AETitle("MODALITY"))
    revision = index.series(series.series_instance_uid, CompletionEvidence.QUIET_TIME)
    model = bootstrap.build_catalogue(settings).get(MODEL_ID).reference
    new = NewJob(revision.study_instance_uid, revision.series_instance_uid, revision.revision, model)
    (job_id,) = index.close(revision, Decision(analysed=True, code=None, message=None), [new])
    return job_id


def test_two_worker_processes_take_a_job_through(environment: dict[str, str], tmp_path: Path) -> None:
    """Inference and delivery, each on its queue, with real adapters: SEG, SR and report lie in their folders."""
    environment["NODE_MODELS_DIRS"] = str(write_relaxed_model(tmp_path / "models"))
    settings = prepare(environment)
    job_id = arrived(settings)
    jobs = SQLJobStore(make_engine(settings), SystemClock(), RandomUIDSource())
    stop = Event()
    with capture_logs():
        processes = [build_worker(settings, queue, 1) for queue in QueueName]
        threads = [Thread(target=process.run, args=(stop,)) for process in processes]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: jobs.get(job_id).state is JobState.COMPLETED, 60, "the job to be completed")
        finally:
            stop.set()
            for thread in threads:
                thread.join(30)

    assert not any(thread.is_alive() for thread in threads)
    kinds = {dcmread(path, stop_before_pixels=True).Modality for path in settings.archive_dir.rglob("*.dcm")}
    assert kinds == {"SEG", "SR", "OT", "DOC", "KO"}
    assert len(list(settings.reports_dir.glob("*.json"))) == 1
