import type { components } from "../api/schema";
import type { JobState, Study } from "../api/shapes";

export type Standing = JobState | "receiving" | "undecided";

type Reason = components["schemas"]["Reason"];

export interface StudyStanding {
  readonly standing: Standing;
  /** Why it was not analysed or failed; empty where a result is there or to come. */
  readonly why: readonly Reason[];
}

/** What a study is said to be where its jobs differ: what is under way first, then what needs somebody, then what is done. */
const ORDER: readonly JobState[] = [
  "PROCESSING", "DELIVERING", "REVIEWING", "WITHDRAWING", "QUEUED", "RECEIVED",
  "FAILED", "COMPLETED", "WITHDRAWN", "CANCELLED", "REJECTED",
]; // prettier-ignore

const EXPLAINED: ReadonlySet<JobState> = new Set<JobState>(["FAILED", "WITHDRAWN", "CANCELLED", "REJECTED"]);

/** Say how far a study has come, by how many of its jobs are in which state. */
export function standingOf(study: Pick<Study, "receiving" | "jobs" | "reasons">): StudyStanding {
  const [foremost] = ORDER.filter((state) => (study.jobs[state] ?? 0) > 0);
  if (study.receiving) return { standing: "receiving", why: [] };
  if (!foremost) return { standing: study.reasons.length > 0 ? "REJECTED" : "undecided", why: study.reasons };
  return { standing: foremost, why: EXPLAINED.has(foremost) ? study.reasons : [] };
}

/** Say whether a study matches what somebody types: every word somewhere in name, ids and description. */
export function matches(study: Study, words: string): boolean {
  const text = [
    study.patient_name,
    study.patient_id,
    study.accession_number,
    study.study_description,
    study.study_uid,
  ]
    .join(" ")
    .replaceAll("^", " ")
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
