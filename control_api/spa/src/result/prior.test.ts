import { describe, expect, it } from "vitest";

import type { Measurement } from "../api/shapes";
import { priorOf } from "./prior";

const comparison = {
  current: { job_id: "a" },
  prior: { job_id: "b", study_date: "20250612" },
  structures: [{ label: "Thalamus", unit: "mL", change_percent: -2.5 }],
} as unknown as Parameters<typeof priorOf>[0];
const row = (label: string, quantity = "Volume") => ({ label, quantity, unit: "mL" }) as Measurement;

describe("a change since the study before", () => {
  it("is of the same structure, and of its volume only", () => {
    const prior = priorOf(comparison);
    expect(prior.date).toBe("2025-06-12");
    expect(prior.changeOf(row("Thalamus"))).toBe(-0.025);
    expect(prior.changeOf(row("Pons"))).toBeUndefined();
    expect(prior.changeOf(row("Thalamus", "Long axis"))).toBeUndefined();
  });

  it("is said to be unknown where there is no study before, and not where nobody knows", () => {
    expect(priorOf({ ...comparison, prior: null } as typeof comparison).absent).toBe(true);
    expect(priorOf(undefined).absent).toBe(false);
  });
});
