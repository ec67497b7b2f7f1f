"""A patient's name survives the whole way in every character set: into lists, SEG, SR and FHIR."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName
from sqlalchemy import Engine

from control_api.queries import ReadModel
from control_api.records import StudyFilter
from dicom_node.handlers import Destination
from dicom_node.receiver import Receiver, ReceiverOptions
from dicom_node.spool import FolderSpool
from inference.domain.charsets import CharacterSets
from inference.domain.identifiers import UID, AETitle
from inference.domain.model_inputs import ModelInputs
from inference.domain.study import SeriesRevision
from inference.pipeline import Analysis, Surroundings, analyse
from integrations.fhir.mapping import report_bundle
from integrations.persistence.study_index import SQLStudyIndex
from integrations.persistence.transactions import Transactions
from integrations.system import SystemClock
from tests.support.dcmtk import storescu
from tests.support.fakes import FixedClock
from tests.support.small_analysis import SPEC, ThresholdRunner, write_blocks
from tests.support.synthetic_series import SeriesOptions, revision_of

pytestmark = pytest.mark.integration

CHARSETS = CharacterSets("ISO_IR 100", {AETitle("SEOUL"): "ISO 2022 IR 149", AETitle("BEIJING"): "GB18030"})
FULL = "Hong^Gildong=洪^吉洞=홍^길동"


@dataclass(frozen=True)
class Written:
    """How a device writes a name.

    Parameters
    ----------
    charset
        Specific Character Set; None where it names none.
    name
        What the name is.
    encoded
        Its bytes, where pydicom would write others.
    calling_ae
        Who sends it.
    """

    charset: str | list[str] | None
    name: str
    encoded: bytes | None = None
    calling_ae: str = "ANYBODY"

    def edit(self, data_set: Dataset, _index: int) -> None:
        """Write the name into a header."""
        if self.charset is None:
            del data_set.SpecificCharacterSet
        else:
            data_set.SpecificCharacterSet = self.charset
        data_set.PatientName = self.name if self.encoded is None else PersonName(self.encoded)


DEVICES = {
    "Korean": Written(["", "ISO 2022 IR 149"], FULL),
    "Korean without escape sequences": Written(["", "ISO 2022 IR 149"], "홍^길동", "홍^길동".encode("euc_kr")),
    "Korean, nothing named": Written(None, "홍^길동", "홍^길동".encode("euc_kr"), "SEOUL"),
    "Chinese": Written("GB18030", "Wang^XiaoDong=王^小东"),
    "Chinese, nothing named": Written(None, "王^小东", "王^小东".encode("gb18030"), "BEIJING"),
    "Japanese": Written(["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Japanese, half width": Written(["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    "Cyrillic": Written("ISO_IR 144", "Щукин^Иван^Петрович"),
    "Unicode": Written("ISO_IR 192", FULL),
    "Latin, nothing named": Written(None, "Müller^Jürgen", "Müller^Jürgen".encode("latin-1")),
    "title and all": Written("ISO_IR 100", "Doe^Jane^Mary^Dr.^Jr."),
}


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Written:
    """Give each device in turn."""
    return DEVICES[request.param]


def patient_of(analysis: Analysis) -> dict[str, Any]:
    """Give the Patient of the report, as it goes over the wire."""
    entries = json.loads(json.dumps(report_bundle(analysis.report)))["entry"]
    (patient,) = [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Patient"]
    assert isinstance(patient, dict)
    return patient


def analysed(series: SeriesRevision) -> Analysis:
    surroundings = Surroundings(ThresholdRunner(), FixedClock(), lambda _: None, CHARSETS)
    return analyse(ModelInputs(series), SPEC, surroundings)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_name_is_the_same_wherever_it_is_read(device: Written, tmp_path: Path, sqlite_engine: Engine) -> None:
    """Received over C-STORE, listed by the API, encoded in SEG and SR, reported to FHIR."""
    paths = write_blocks(tmp_path / "source", SeriesOptions(edit=device.edit))
    index = SQLStudyIndex(sqlite_engine, SystemClock(), tmp_path / "spool")
    destination = Destination(FolderSpool(tmp_path / "spool"), index, CHARSETS)
    receiver = Receiver(ReceiverOptions(AETitle("NEURONOVA")), destination)
    receiver.start()
    try:
        storescu(receiver.port, paths, options=["-aet", device.calling_ae])
    finally:
        receiver.stop()
    analysis = analysed(index.series(UID(dcmread(paths[0]).SeriesInstanceUID)))
    (study,) = ReadModel(Transactions(sqlite_engine, SystemClock())).list_studies(StudyFilter(), 10).items
    assert study.patient_name == device.name
    for artifact in analysis.artifacts:
        encoded = dcmread(BytesIO(artifact.content))
        assert (str(encoded.PatientName), encoded.SpecificCharacterSet) == (device.name, "ISO_IR 192")
    said = [
        [name["family"], *name["given"], *name.get("prefix", ()), *name.get("suffix", ())]
        for name in patient_of(analysis)["name"]
    ]
    assert said == [[part for part in group.split("^") if part] for group in device.name.split("=")]


@pytest.mark.parametrize(("device", "groups"), [("Unicode", ["ABC", "IDE", "SYL"]), ("Cyrillic", [None])])
def test_groups_of_a_name_say_which_they_are(tmp_path: Path, device: str, groups: list[str | None]) -> None:
    """Alphabetic, ideographic, phonetic (iso21090-EN-representation); a single alphabetic one needs no word."""
    series = revision_of(write_blocks(tmp_path, SeriesOptions(edit=DEVICES[device].edit)))
    names = patient_of(analysed(series))["name"]
    said = [name["extension"][0]["valueCode"] if "extension" in name else None for name in names]
    assert said == groups
