import type { components } from "./schema";

type Schemas = components["schemas"];
export type Job = Schemas["Job"];
export type JobDetail = Schemas["JobDetail"];
export type JobState = Job["state"];
export type Study = Schemas["Study"];
export type StudyDetail = Schemas["StudyDetail"];
export type Series = Schemas["Series"];
export type Measurement = Schemas["Measurement"];
export type ModelCard = Schemas["ModelCard"];
export type NodeStatus = Schemas["NodeStatus"];
export type ReviewOrder = Schemas["ReviewOrder"];

/** States in which a job still has something before it. */
export const UNDER_WAY: ReadonlySet<JobState> = new Set<JobState>([
  "RECEIVED", "QUEUED", "PROCESSING", "DELIVERING", "REVIEWING", "WITHDRAWING",
]); // prettier-ignore
export const CANCELLABLE: ReadonlySet<JobState> = new Set<JobState>([
  "RECEIVED",
  "QUEUED",
  "PROCESSING",
  "DELIVERING",
]);
export const RETRYABLE: ReadonlySet<JobState> = new Set<JobState>(["FAILED", "REJECTED", "CANCELLED"]);
/** What can be shown of a series. */
export type PreviewFacts = Schemas["Preview"];
