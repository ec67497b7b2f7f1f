"""Studies, jobs and results in the database of an API, as receiver and workers leave them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Engine, Table

from inference.domain.identifiers import UID
from inference.domain.job import JobState
from integrations.persistence.engine import make_engine
from integrations.persistence.tables import job_stages, jobs, series, studies
from integrations.persistence.times import to_column
from integrations.system import SystemClock
from tests.support.api_process import APIProcess

ROOT: Final = "1.2.826.0.1.3680043.8.498."
STRUCTURES: Final = (("Thalamus", "42695009", 14.2), ("Pallidum", "14738005", 3.4), ("Pons", "49557009", 15.9))


@dataclass
class Worklist:
    """Puts rows there.

    Parameters
    ----------
    api
        The API whose database it is.
    """

    api: APIProcess
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = make_engine(self.api.settings)
        self.now = SystemClock().now()

    def study(self, number: int, name: str, **columns: Any) -> UID:
        """Put a study with one series there, received some minutes ago, and give its UID."""
        uid = UID(f"{ROOT}{number}")
        at = to_column(self.now - timedelta(minutes=number))
        times = {"first_received_at": at, "last_received_at": at}
        about = {
            "study_instance_uid": uid,
            "patient_name": name,
            "patient_id": f"P-{number:04d}",
            "accession_number": f"A-{number:04d}",
            "study_date": "20260102",
            "study_description": "MR brain",
            "calling_ae": "MRSCANNER",
        }
        self._insert(studies, about | times)
        closed = {"receiving": False, "evidence": "quiet_time", "decision": "analysed", "completed_at": at}
        of_series = {
            "series_instance_uid": f"{uid}.1",
            "study_instance_uid": uid,
            "modality": "MR",
            "series_description": "T1 MPRAGE",
            "calling_ae": "MRSCANNER",
            "instance_count": 192,
        }
        self._insert(series, of_series | closed | times | columns)
        return uid

    def job(self, study_uid: UID, state: JobState = JobState.COMPLETED, **columns: Any) -> str:
        """Put a job about a study's series there, with stages and a result where it has one, and give its id."""
        number = int(study_uid.rpartition(".")[2])
        job_id = f"{number:032x}"
        at = to_column(self.now - timedelta(minutes=number))
        row = {
            "job_id": job_id,
            "study_instance_uid": study_uid,
            "series_instance_uid": f"{study_uid}.1",
            "revision": 1,
            "model_id": "brain_structures",
            "model_version": "1.0.0",
            "model_digest": "d" * 64,
            "run": 0,
            "state": state.value,
            "created_at": at,
            "updated_at": at,
        }
        if state is JobState.COMPLETED:
            row["result"] = _result()
        self._insert(jobs, row | columns)
        for index, (stage, seconds) in enumerate((("volume", 0.8), ("infer", 4.2), ("encode", 1.1))):
            begun = to_column(self.now - timedelta(minutes=number) + timedelta(seconds=3 * index))
            self._insert(
                job_stages,
                {"job_id": job_id, "stage": stage, "attempt": 1, "started_at": begun, "seconds": seconds},
            )
        return job_id

    def update(self, job_id: str, state: JobState) -> None:
        """Bring a job into another state, as a worker does."""
        with self.engine.begin() as connection:
            connection.execute(
                jobs.update()
                .where(jobs.c.job_id == job_id)
                .values(state=state.value, result=_result(), updated_at=to_column(SystemClock().now()))
            )

    def close(self, study_uid: UID) -> None:
        """Close the series of a study, as the assembler does."""
        with self.engine.begin() as connection:
            connection.execute(
                series.update()
                .where(series.c.study_instance_uid == study_uid)
                .values(receiving=False, evidence="quiet_time", decision="analysed", completed_at=to_column(self.now))
            )

    def _insert(self, table: Table, row: Mapping[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(table.insert().values(**row))


def _result() -> dict[str, Any]:
    measurements = [
        {
            "label": label,
            "code": code,
            "quantity": "Volume",
            "value": value,
            "unit": "mL",
            "usual": [10.0, 15.0],
            "tracking_uid": f"2.25.{index}",
        }
        for index, (label, code, value) in enumerate(STRUCTURES, start=77)
    ]
    return {
        "measurements": measurements,
        "artifacts": [{"kind": "SEG", "sop_instance_uid": "1.2.3.4", "series_instance_uid": "1.2.3"}],
        "absent": ["Amygdala"],
        "report": "DiagnosticReport/7",
        "warnings": ["one slice was interpolated"],
    }
