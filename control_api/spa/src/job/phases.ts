import type { components } from "../api/schema";
import type { JobDetail } from "../api/shapes";

export interface Phase {
  readonly name: string;
  readonly kind: string;
  readonly attempt: number | null;
  /** Seconds after the job was made. */
  readonly start: number;
  /** Null while it goes on. */
  readonly seconds: number | null;
}

/** Give the stages of a job as phases on one axis of time. */
export function phasesOf(job: Pick<JobDetail, "created_at" | "stages">): Phase[] {
  const origin = Date.parse(job.created_at);
  return job.stages.map((stage) => ({
    name: stage.stage,
    kind: "stage",
    attempt: stage.attempt,
    start: Math.max(0, (Date.parse(stage.started_at) - origin) / 1000),
    seconds: stage.seconds,
  }));
}

/** Give the phases that the node knows: waits and deliveries too. */
export function phasesIn(timeline: components["schemas"]["Timeline"]): Phase[] {
  const origin = Date.parse(timeline.started_at);
  return timeline.phases.map((phase) => ({
    name: phase.name,
    kind: phase.kind,
    attempt: phase.attempt,
    start: Math.max(0, (Date.parse(phase.started_at) - origin) / 1000),
    seconds: phase.seconds,
  }));
}

/** Give the length of the axis: to the end of the last phase. */
export function spanOf(phases: readonly Phase[], now: number): number {
  return Math.max(0.001, ...phases.map((phase) => phase.start + (phase.seconds ?? Math.max(0, now - phase.start))));
}
