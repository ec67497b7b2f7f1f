"""The composition roots of the DICOM door: settings in, wired processes out; nothing is wired anywhere else."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version

import httpx
from sqlalchemy import Engine

from dicom_node.assembler import Assembler, AssemblerOptions
from dicom_node.attendance import BEAT_SECONDS, Attendance, Facts, device_facts
from dicom_node.chores import Chore
from dicom_node.errands import Archive, Destinations
from dicom_node.handlers import Destination
from dicom_node.housekeeping import Dispatcher
from dicom_node.infer import OfflineNode
from dicom_node.inspect_folder import Inspector
from dicom_node.intake import Intake
from dicom_node.model_trials import LEASE_SECONDS, ModelTrials
from dicom_node.peer_probes import PeerRounds
from dicom_node.periodic_bootstrap import build_notifier, build_periodic_tasks
from dicom_node.processes import Consumers, ReceiverProcess, WorkerProcess
from dicom_node.receiver import Receiver as StorageReceiver
from dicom_node.receiver import ReceiverOptions
from dicom_node.spool import FolderSpool
from dicom_node.stock import INTERVAL_SECONDS, Stock
from dicom_node.supervisor import ChildCommand, Supervisor
from dicom_node.worker import Worker, WorkOptions, WorkPlaces
from inference.decoder_pool import DecoderSupply
from inference.domain.job import About, Hint, QueueName
from inference.domain.node_report import WorkerReport
from inference.engine import EngineOptions, OnnxModelRunner
from inference.errors import ConfigurationError
from inference.ports import DeploymentLog, ReportSink
from integrations import durable_files
from integrations.configured_destinations import configured_destinations
from integrations.configured_peers import configured_peers
from integrations.destination_sinks import SinkSurroundings, build_sink
from integrations.fhir.client import HAPIReportSink
from integrations.fhir.folder import FolderReportSink
from integrations.hl7.message import Sending
from integrations.hl7.mllp import MLLPReportSink, Receiver
from integrations.lineages import LineageFolder
from integrations.logs import configure_logs
from integrations.machine import machine_facts
from integrations.orthanc.commitment_reports import CommitmentReports, ListenAddress
from integrations.orthanc.find_scu import FindSCUCounter
from integrations.orthanc.peer import Peer
from integrations.periodic_queue import periodic_consumer
from integrations.persistence.deliveries import SQLDeliveryLog
from integrations.persistence.deployments import SQLDeploymentLog
from integrations.persistence.engine import make_engine
from integrations.persistence.job_store import JobStoreOptions, SQLJobStore
from integrations.persistence.master_data import SQLMasterData
from integrations.persistence.migrations import is_current, upgrade
from integrations.persistence.node_reports import SQLPeerLog, SQLWorkerRoll, spool_bytes
from integrations.persistence.sessions import SQLSessions
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.transactions import Transactions
from integrations.persistence.users import SQLUserStore
from integrations.persistence.verifications import SQLVerificationLog
from integrations.preview_folder import PreviewFolder
from integrations.result_folder import FolderResultStore
from integrations.settings import ArchivePeer, Settings, load_settings
from integrations.system import RandomUIDSource, SystemClock, operating_system_user
from integrations.taskqueue import make_job_queue
from models.catalogue import FolderCatalogue, builtin_models_root
from models.deployment import DeploymentPlaces, ModelDeployment
from models.inspection import verify_package
from models.model_store import ModelStore
from models.weights import verify

CHILDREN = (
    ChildCommand("receiver", ("receive",)),
    ChildCommand("inference", ("work", "--queue", QueueName.INFERENCE.value)),
    ChildCommand("delivery", ("work", "--queue", QueueName.DELIVERY.value, "--threads", "2")),
    ChildCommand("api", ("api",)),
)
"""The processes of ``dicom-node up``."""

HTTP_TIMEOUT_SECONDS = 60.0


def load_offline() -> Settings:
    """Read the settings for work that leaves no trace in the data folder.

    Raises
    ------
    ConfigurationError
        With every fault at once.
    """
    settings = load_settings(keep_secrets=False)
    configure_logs(settings)
    return settings


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings and set up logging.

    Raises
    ------
    ConfigurationError
        With every fault at once.
    """
    settings = load_settings(environment)
    configure_logs(settings)
    return settings


def prepare(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, make the data folder and bring the database's schema up to date.

    Raises
    ------
    ConfigurationError
        If a setting is at fault or the data folder cannot be made.
    StoreUnavailable
        If the database cannot be brought up to date.
    """
    settings = load(environment)
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"NODE_DATA_DIR: the folder cannot be made ({type(error).__name__})") from error
    upgrade(make_engine(settings))
    return settings


def supervisor() -> Supervisor:
    """Give the parent of a whole node's processes."""
    return Supervisor(CHILDREN, SystemClock())


def build_catalogue(settings: Settings) -> FolderCatalogue:
    """Give the built-in models, those of the settings' folders and those that were added, deployed as was decided.

    Where the node has not been started yet, nothing was decided, and nothing is made for looking.

    Raises
    ------
    StoreUnavailable
        If the database cannot be reached.
    """
    if not _has_database(settings):
        return _catalogue(settings, None)
    engine = make_engine(settings)
    return _catalogue(settings, SQLDeploymentLog(engine, SystemClock()) if is_current(engine) else None)


def _has_database(settings: Settings) -> bool:
    return settings.sqlite_path.exists() or settings.database_url is not None or settings.db_host is not None


def _catalogue(settings: Settings, log: DeploymentLog | None) -> FolderCatalogue:
    return FolderCatalogue([builtin_models_root(), *settings.models_dirs], settings.models_store, log)


def build_runner(settings: Settings) -> OnnxModelRunner:
    """Give the engine on the provider that the settings name."""
    return OnnxModelRunner(
        EngineOptions(provider=settings.execution_provider, intra_op_threads=settings.intra_op_threads, verify=verify)
    )


def build_sessions(settings: Settings) -> SQLSessions:
    """Give the sessions of the API, to end some."""
    return SQLSessions(make_engine(settings), SystemClock(), RandomUIDSource(), settings.jwt_refresh_days)


def build_users(settings: Settings) -> SQLUserStore:
    """Give the store of the API's users."""
    return SQLUserStore(make_engine(settings), SystemClock())


def build_master_data(settings: Settings) -> SQLMasterData:
    """Give the store of medications, diagnoses and laboratory tests."""
    return SQLMasterData(make_engine(settings), SystemClock())


def build_offline(settings: Settings) -> OfflineNode:
    """Give what ``dicom-node infer`` needs."""
    return OfflineNode(_offline_catalogue(settings), build_runner(settings), SystemClock(), settings.character_sets)


def build_inspector(settings: Settings) -> Inspector:
    """Give what ``dicom-node inspect`` needs: the models as they are deployed, none of which is run."""
    return Inspector(_offline_catalogue(settings), settings.character_sets)


def _offline_catalogue(settings: Settings) -> FolderCatalogue:
    """Give the models without a network; an embedded node knows what was decided about them."""
    return build_catalogue(settings) if settings.embedded else _catalogue(settings, None)


def build_deployment_places(settings: Settings) -> DeploymentPlaces:
    """Give what decisions about models are made on, in the name of who runs this process."""
    engine, clock = make_engine(settings), SystemClock()
    log = SQLDeploymentLog(engine, clock)
    actor = operating_system_user()
    return DeploymentPlaces(_catalogue(settings, log), log, _job_store(settings, engine), clock, actor)


def build_model_store(settings: Settings) -> ModelStore:
    """Give the folder of the packages that a person added."""
    return ModelStore(settings.models_store, durable_files)


def build_deployment(settings: Settings) -> ModelDeployment:
    """Give what carries decisions about models out; a package is looked over on the device that the node uses."""
    verify_here = partial(verify_package, runner=build_runner(settings))
    return ModelDeployment(build_deployment_places(settings), verify_here)


def build_receiver(settings: Settings) -> ReceiverProcess:
    """Wire the receiver process: SCP, spool, index, and the assembler that closes series."""
    clock, uid_source = SystemClock(), RandomUIDSource()
    engine = make_engine(settings)
    index = SQLStudyIndex(engine, clock, settings.spool_dir, uid_source)
    dispatcher = Dispatcher(_job_store(settings, engine), make_job_queue(settings, None))
    spool = FolderSpool(settings.spool_dir, settings.spool_reserve_mb * 2**20)
    receiver = StorageReceiver(_receiver_options(settings), Destination(spool, index, settings.character_sets))
    peer = _archive_peer(settings)
    assembler = Assembler(
        index,
        Intake(
            index,
            _catalogue(settings, SQLDeploymentLog(engine, clock)),
            dispatcher.hurry,
            settings.character_sets,
            takes_notes=any(destination.notes for destination in configured_destinations(settings)),
        ),
        FindSCUCounter(peer) if peer else None,
        receiver,
        clock,
        AssemblerOptions(quiet_time_s=settings.quiet_time_s, settle_time_s=settings.settle_time_s),
    )
    who = _report(_owner(uid_source), "receiver", settings.max_associations)
    return ReceiverProcess(receiver, assembler, [_attendance(engine, who, machine_facts)])


def build_worker(settings: Settings, queue: QueueName, threads: int) -> WorkerProcess:
    """Wire a worker process: consumer of one queue, the dispatcher that feeds both, and what is done beside."""
    clock, uid_source = SystemClock(), RandomUIDSource()
    engine = make_engine(settings)
    jobs = _job_store(settings, engine)
    verifications = SQLVerificationLog(engine, clock, uid_source)
    dispatcher = Dispatcher(jobs, make_job_queue(settings, None), further=(verifications,))
    catalogue = _catalogue(settings, SQLDeploymentLog(engine, clock))
    places = WorkPlaces(
        jobs=jobs,
        index=SQLStudyIndex(engine, clock, settings.spool_dir, uid_source),
        catalogue=catalogue,
        runner=build_runner(settings),
        results=FolderResultStore(settings.results_dir),
        destinations=_destinations(settings),
        deliveries=SQLDeliveryLog(engine, clock),
        notifier=build_notifier(settings, engine),
        clock=clock,
        decoders=DecoderSupply(keeps_ready=True),
        previews=PreviewFolder(settings.previews_dir) if settings.previews else None,
    )
    owner = _owner(uid_source)
    worker = Worker(places, _work_options(settings, owner))
    trials = ModelTrials(verifications, catalogue, partial(build_runner, settings), owner)
    peers = PeerRounds(configured_peers(settings), SQLPeerLog(engine, clock), clock)

    def run(hint: Hint) -> None:
        """Work, then send what that made due: a result that is ready is delivered at once."""
        match hint.about:
            case About.JOB:
                worker.run(hint)
            case About.VERIFICATION:
                trials.run(hint.job_id)
            case About.PEERS:
                peers.round()
        dispatcher.hurry()

    consumers = [make_job_queue(settings, run).consumer(queue, threads)]
    if queue is QueueName.INFERENCE:
        chores = _inference_chores(settings, engine, owner, threads)
    else:
        chores = _delivery_chores(settings, engine, owner, threads, peers)
        consumers.append(periodic_consumer(settings, build_periodic_tasks(settings, engine)))
    return WorkerProcess(Consumers(consumers), dispatcher, settings.reap_interval_s, chores)


def _inference_chores(settings: Settings, engine: Engine, owner: str, threads: int) -> list[Chore]:
    verifications = SQLVerificationLog(engine, SystemClock(), RandomUIDSource())
    extend = partial(verifications.extend, owner, LEASE_SECONDS)
    who = _report(owner, QueueName.INFERENCE.value, threads)
    device = partial(device_facts, build_runner(settings))
    return [_attendance(engine, who, machine_facts, device), Chore("verification", extend, BEAT_SECONDS)]


def _delivery_chores(settings: Settings, engine: Engine, owner: str, threads: int, peers: PeerRounds) -> list[Chore]:
    clock = SystemClock()
    stock = Stock(partial(spool_bytes, Transactions(engine, clock)), settings.results_dir, clock)
    interval = settings.probe_interval_s
    return [
        _attendance(engine, _report(owner, QueueName.DELIVERY.value, threads), machine_facts, stock.facts),
        Chore("stock", stock.count, INTERVAL_SECONDS),
        Chore("peers", partial(peers.round, interval * 0.9), interval),
    ]


def _attendance(engine: Engine, who: WorkerReport, *facts: Facts) -> Chore:
    """Say that this process lives, and how its machine does."""
    clock = SystemClock()
    attendance = Attendance(SQLWorkerRoll(engine, clock), who, clock, facts)
    return Chore("attendance", attendance.beat, BEAT_SECONDS, attendance.leave)


def _owner(uid_source: RandomUIDSource) -> str:
    """Give the name of this process, which its leases bear."""
    return f"{socket.gethostname()}:{os.getpid()}:{uid_source.token()[:8]}"


def _report(owner: str, kind: str, threads: int) -> WorkerReport:
    """Describe this process as it starts."""
    now = SystemClock().now()
    return WorkerReport(owner, kind, socket.gethostname(), os.getpid(), threads, version("neuronova-node"), now, now)


def _job_store(settings: Settings, engine: Engine) -> SQLJobStore:
    return SQLJobStore(engine, SystemClock(), RandomUIDSource(), JobStoreOptions(max_attempts=settings.max_attempts))


def _receiver_options(settings: Settings) -> ReceiverOptions:
    return ReceiverOptions(
        ae_title=settings.ae_title,
        host=settings.dicom_host,
        port=settings.dicom_port,
        called_ae_titles=frozenset(settings.accepted_ae_titles),
        calling_ae_titles=frozenset(settings.calling_ae_titles),
        maximum_associations=settings.max_associations,
        acse_timeout_s=settings.acse_timeout_s,
        dimse_timeout_s=settings.dimse_timeout_s,
        network_timeout_s=settings.network_timeout_s,
        commitment_peers=tuple(_peer(settings, peer) for peer in settings.commitment_peers),
    )


def _work_options(settings: Settings, owner: str) -> WorkOptions:
    return WorkOptions(
        owner=owner,
        lease_seconds=settings.lease_seconds,
        max_attempts=settings.max_attempts,
        retry_base_seconds=settings.retry_base_s,
        delivery_deadline_hours=settings.delivery_deadline_hours,
        channel_wait_seconds=settings.channel_wait_seconds,
        charsets=settings.character_sets,
        zone=settings.zone,
    )


def _archive_peer(settings: Settings) -> Peer | None:
    """Give the archive that is asked how many images it has of a series."""
    return None if settings.archive is None else _peer(settings, settings.archive)


def _peer(settings: Settings, address: ArchivePeer) -> Peer:
    return Peer(address.ae_title, address.host, address.port, settings.ae_title)


def _destinations(settings: Settings) -> Destinations:
    """Give everybody who is told: archives as the settings name them, then report servers."""
    surroundings = SinkSurroundings(settings.ae_title, RandomUIDSource(), _commitment_reports(settings))
    archives = [
        Archive(each.name, build_sink(each, surroundings), each.wanted, each.notes)
        for each in configured_destinations(settings)
    ]
    return Destinations(archives, _report_sinks(settings))


def _report_sinks(settings: Settings) -> dict[str, ReportSink]:
    sinks: dict[str, ReportSink] = {"fhir": _report_sink(settings)}
    if settings.hl7 is not None:
        told = LineageFolder(settings.data_dir / "hl7")
        sinks["hl7"] = MLLPReportSink(Receiver(*settings.hl7), told, Sending(facility=settings.organization))
    return sinks


def _commitment_reports(settings: Settings) -> CommitmentReports | None:
    if settings.commitment_port is None:
        return None
    return CommitmentReports(ListenAddress(settings.dicom_host, settings.commitment_port), settings.ae_title)


def _report_sink(settings: Settings) -> ReportSink:
    systems = dict(settings.patient_systems)
    if settings.report_url is None:
        return FolderReportSink(settings.reports_dir, systems)
    client = httpx.Client(timeout=HTTP_TIMEOUT_SECONDS)
    return HAPIReportSink(settings.report_url, client, SystemClock(), patient_systems=systems)
