"""The file of destinations: what it may say, every fault at once, and the adapter that comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.domain.artifact import ArtifactKind, Segmentation
from inference.domain.delivery import USUAL_KINDS, Compression, Wanted
from inference.domain.identifiers import AETitle
from inference.errors import ConfigurationError
from integrations.destination_sinks import SinkSurroundings, build_sink
from integrations.destinations import (
    Confirmed,
    Destination,
    DIMSEAddress,
    FolderAddress,
    STOWAddress,
    load_destinations,
)
from integrations.dicomweb.stow import STOWSink
from integrations.http_login import Login
from integrations.orthanc.commitment import StorageCommitment
from integrations.orthanc.commitment_reports import CommitmentReports, ListenAddress
from integrations.orthanc.folder import FolderArchive
from integrations.orthanc.rest import RESTReadBack
from integrations.orthanc.store_scu import FindReadBack, StoreSCUSink
from integrations.settings import ArchivePeer
from tests.support.artifacts import artifact
from tests.support.fakes import CountingUIDSource
from tests.support.repository import REPOSITORY

PACS = ArchivePeer(AETitle("ORTHANC"), "orthanc", 4242)


def load(tmp_path: Path, text: str) -> tuple[Destination, ...]:
    """Write the file and load it."""
    path = tmp_path / "destinations.toml"
    path.write_text(text, encoding="utf-8")
    return load_destinations(path)


def faults(tmp_path: Path, text: str) -> list[str]:
    """Give the faults of a file that must not load."""
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path, text)
    return [line.strip(" -") for line in raised.value.message.splitlines()[1:]]


def test_the_least_that_may_stand_there(tmp_path: Path) -> None:
    """What is not said has its default; read-back where it is possible without the archive's help."""
    text = """
        [[destination]]
        name = "pacs"
        dicom = "ORTHANC@orthanc:4242"
        [[destination]]
        name = "orthanc"
        dicom = "ORTHANC@orthanc:4242"
        rest = "http://orthanc:8042/"
        [[destination]]
        name = "research"
        stow = "https://research.example/dicom-web"
        [[destination]]
        name = "copy-2"
        folder = "/var/lib/results"
    """
    usual = Wanted(USUAL_KINDS, Segmentation.BINARY)
    assert load(tmp_path, text) == (
        Destination("pacs", DIMSEAddress(PACS), usual, Confirmed.QUERY),
        Destination("orthanc", DIMSEAddress(PACS, rest_url="http://orthanc:8042"), usual, Confirmed.READ_BACK),
        Destination("research", STOWAddress("https://research.example/dicom-web"), usual, Confirmed.READ_BACK),
        Destination("copy-2", FolderAddress(Path("/var/lib/results")), usual, Confirmed.READ_BACK),
    )


def test_everything_that_may_stand_there(tmp_path: Path) -> None:
    """Each key has its effect."""
    (tmp_path / "password").write_text("secret\n")
    text = f"""
        [[destination]]
        name = "pacs"
        dicom = "ORTHANC@orthanc:4242"
        calling = "NEURONOVA_OUT"
        rest = "http://orthanc:8042"
        user = "ada"
        password_file = "{tmp_path}/password"
        confirm = "commitment"
        objects = ["SEG", "SR", "PM", "KOS"]
        notes = true
        segmentation = "labelmap"
        compression = "deflated"
    """
    kinds = frozenset({ArtifactKind.SEG, ArtifactKind.SR, ArtifactKind.PM, ArtifactKind.KOS})
    assert load(tmp_path, text) == (
        Destination(
            "pacs",
            DIMSEAddress(PACS, AETitle("NEURONOVA_OUT"), "http://orthanc:8042"),
            Wanted(kinds, Segmentation.LABELMAP),
            Confirmed.COMMITMENT,
            Compression.DEFLATED,
            notes=True,
            login=Login("ada", "secret"),
        ),
    )


BASE = '[[destination]]\nname = "pacs"\n'
DICOM = BASE + 'dicom = "ORTHANC@orthanc:4242"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "at least one [[destination]] is needed"),
        ("destination = 7", "at least one [[destination]] is needed"),
        ("[destination]", "at least one [[destination]] is needed"),
        (DICOM + "[other]", "other is not a table of this file"),
        (DICOM + "color = 1", "destination 1 (pacs): color: is not a key"),
        ('[[destination]]\ndicom = "A@b:1"', "destination 1: name: Field required"),
        (
            '[[destination]]\nname = "Our PACS"\ndicom = "A@b:1"',
            "destination 1 (Our PACS): name: String should match",
        ),
        (BASE, "destination 1 (pacs): exactly one of dicom, stow and folder is needed"),
        (DICOM + 'folder = "/x"', "destination 1 (pacs): exactly one of dicom, stow and folder is needed"),
        (BASE + 'dicom = "orthanc"', "destination 1 (pacs): dicom: write AE@host:port"),
        (BASE + 'stow = "orthanc"', "destination 1 (pacs): stow: write a whole address"),
        (BASE + 'folder = "here"', "destination 1 (pacs): folder: write a path that begins with /"),
        (BASE + 'folder = "/x"\ncalling = "US"', "destination 1 (pacs): calling goes with dicom"),
        (BASE + 'stow = "http://a"\nrest = "http://b"', "destination 1 (pacs): rest goes with dicom"),
        (DICOM + 'confirm = "read-back"', "destination 1 (pacs): confirm: read-back needs rest"),
        (BASE + 'folder = "/x"\nconfirm = "query"', "destination 1 (pacs): confirm: query goes with dicom"),
        (BASE + 'stow = "http://a"\nconfirm = "commitment"', "destination 1 (pacs): confirm: commitment goes with"),
        (DICOM + 'confirm = "hope"', "destination 1 (pacs): confirm: Input should be"),
        (DICOM + "objects = []", "destination 1 (pacs): objects: write at least one of"),
        (DICOM + 'objects = ["FHIR"]', "destination 1 (pacs): objects: write at least one of"),
        (DICOM + 'objects = ["CT"]', "destination 1 (pacs): objects.0: Input should be"),
        (DICOM + 'objects = ["SR"]', "destination 1 (pacs): objects: SR refers to the SEG"),
        (DICOM + 'objects = ["SC"]\nnotes = true', "destination 1 (pacs): notes: a note is an SR"),
        ('[[destination]]\nname = "fhir"\nfolder = "/x"', "destination 1 (fhir): name: fhir and hl7 are the names"),
        (DICOM + 'segmentation = "mesh"', "destination 1 (pacs): segmentation: Input should be"),
        (DICOM + 'compression = "zip"', "destination 1 (pacs): compression: Input should be"),
        (DICOM + 'notes = "yes"', "destination 1 (pacs): notes: Input should be a valid boolean"),
        (DICOM + 'user = "ada"', "destination 1 (pacs): user goes with stow or rest; user and password_file go"),
        (BASE + 'stow = "http://a"\nuser = "ada"', "destination 1 (pacs): user and password_file go together"),
        (
            BASE + 'stow = "http://a"\nuser = "ada"\npassword_file = "/nowhere/secret"',
            "destination 1 (pacs): password_file: the file cannot be read (FileNotFoundError)",
        ),
        (DICOM + DICOM, "the name pacs stands more than once"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, fault: str) -> None:
    """Where it is and what is wrong; nothing is guessed."""
    [found] = faults(tmp_path, text)
    assert found.startswith(fault)


def test_all_faults_at_once(tmp_path: Path) -> None:
    """Whoever writes the file sees everything in one go, and no value of it."""
    text = DICOM + "color = 'secret'\n[[destination]]\nname = 7\nstow = 'secret'\n[more]"
    found = faults(tmp_path, text)
    assert len(found) == 4
    assert "secret" not in "".join(found)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"[[destination"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """Not there, no text, no TOML."""
    path = tmp_path / "destinations.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="file of destinations"):
        load_destinations(path)


def surroundings(reports: CommitmentReports | None = None) -> SinkSurroundings:
    """Give what all destinations share."""
    return SinkSurroundings(AETitle("NEURONOVA"), CountingUIDSource(), reports)


@pytest.mark.parametrize(
    ("confirmed", "kind"),
    [
        (Confirmed.QUERY, FindReadBack),
        (Confirmed.READ_BACK, RESTReadBack),
        (Confirmed.COMMITMENT, StorageCommitment),
    ],
)
def test_the_adapter_of_an_archive(confirmed: Confirmed, kind: type) -> None:
    """It confirms as the file says, and calls under the title that the file names."""
    reports = CommitmentReports(ListenAddress("127.0.0.1", 0), AETitle("NEURONOVA"))
    address = DIMSEAddress(PACS, AETitle("OUT"), "http://orthanc:8042")
    login = Login("ada", "secret")
    destination = Destination("pacs", address, Wanted(), confirmed, Compression.RLE, login=login)
    sink = build_sink(destination, surroundings(reports))
    assert isinstance(sink, StoreSCUSink)
    assert isinstance(sink._confirmation, kind)
    assert sink._compression is Compression.RLE
    assert sink._peer.calling_ae_title == "OUT"
    plain = build_sink(Destination("pacs", DIMSEAddress(PACS)), surroundings())
    assert isinstance(plain, StoreSCUSink)
    assert plain._peer.calling_ae_title == "NEURONOVA"


def test_commitment_needs_a_port() -> None:
    """Otherwise no report could ever come."""
    destination = Destination("pacs", DIMSEAddress(PACS), confirmed=Confirmed.COMMITMENT)
    with pytest.raises(ConfigurationError, match=r"pacs.*port"):
        build_sink(destination, surroundings())


def test_the_adapters_of_other_addresses(tmp_path: Path) -> None:
    """STOW-RS, and a folder that really takes an object."""
    stow = build_sink(Destination("research", STOWAddress("https://research.example/dicom-web")), surroundings())
    assert isinstance(stow, STOWSink)
    folder = build_sink(
        Destination("copy", FolderAddress(tmp_path), compression=Compression.DEFLATED), surroundings()
    )
    assert isinstance(folder, FolderArchive)
    folder.deliver([one := artifact()])
    folder.confirm([one])
    assert len(folder.path_of(one).read_bytes()) < len(one.content)


def test_the_examples_of_the_document_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies works, but for the password files, which are the site's."""
    monkeypatch.setattr(Path, "read_text", _with_passwords(Path.read_text))
    document = (REPOSITORY / "docs" / "destinations.md").read_text(encoding="utf-8")
    examples = [part.split("```")[0] for part in document.split("```toml\n")[1:]]
    assert len(examples) >= 4
    for number, example in enumerate(examples):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert load(folder, example)


def _with_passwords(read_text: object) -> object:
    def read(path: Path, **arguments: object) -> object:
        return "secret" if str(path).startswith("/run/secrets/") else read_text(path, **arguments)  # type: ignore[operator]

    return read
