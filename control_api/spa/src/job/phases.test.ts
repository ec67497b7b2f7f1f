import { describe, expect, it } from "vitest";

import { phasesIn, phasesOf, spanOf } from "./phases";

const AT = "2026-01-02T12:00:00+00:00";
const later = (seconds: number) => new Date(Date.parse(AT) + 1000 * seconds).toISOString();

describe("the time of a job", () => {
  it("is laid on one axis that begins when the job was made", () => {
    const stages = [{ stage: "infer", attempt: 1, started_at: later(2), seconds: 4 }];
    const phases = phasesOf({ created_at: AT, stages });
    expect(phases).toEqual([{ name: "infer", kind: "stage", attempt: 1, start: 2, seconds: 4 }]);
    expect(spanOf(phases, 0)).toBe(6);
  });

  it("goes on where a phase is not over", () => {
    const open = {
      kind: "delivery",
      name: "pacs",
      attempt: 1,
      started_at: later(3),
      ended_at: null,
      seconds: null,
    } as const;
    const phases = phasesIn({ started_at: AT, ended_at: AT, seconds: 0, phases: [open] });
    expect(spanOf(phases, 10)).toBe(10);
  });

  it("is never of no length, and a clock that is behind does not begin before the job", () => {
    expect(spanOf([], 0)).toBeGreaterThan(0);
    expect(
      phasesOf({ created_at: AT, stages: [{ stage: "x", attempt: 1, started_at: later(-5), seconds: 1 }] })[0]?.start,
    ).toBe(0);
  });
});
