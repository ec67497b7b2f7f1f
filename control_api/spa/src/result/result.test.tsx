import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";

import type { JobDetail, Measurement } from "../api/shapes";
import { show } from "../testing/render";
import { ReviewPanel } from "./ReviewPanel";
import { largestByUnit, StructureTable } from "./StructureTable";

const measured = (label: string, value: number, more: Partial<Measurement> = {}): Measurement =>
  ({
    label,
    value,
    unit: "mL",
    quantity: "Volume",
    code: "",
    usual: null,
    tracking_uid: `2.25.${label}`,
    ...more,
  }) as Measurement;
const JOB = {
  job_id: "a".repeat(32),
  series_uid: "1.2.3",
  study_uid: "1.2",
  model: { id: "brain", version: "1" },
  state: "COMPLETED",
  valid: true,
  shadow: false,
  reviews: [],
  result: null,
  measurements: [
    measured("Thalamus", 14.2, { usual: [10, 12] }),
    measured("Pons", 7.1),
    measured("Brain", 1200, { tracking_uid: null }),
  ],
} as unknown as JobDetail;
const REVIEW = `POST /api/jobs/${JOB.job_id}/review`;

describe("the table of structures", () => {
  it("shows each number with its unit, and says what is unusual in words too", async () => {
    const choose = vi.fn();
    await show(<StructureTable job={JOB} chosen={null} choose={choose} />, {
      "GET /api/models": { models: [], broken: [] },
    });
    expect(screen.getByText(/14\.2 mL/)).toBeVisible();
    expect(screen.getByText("Outside the usual range")).toBeInTheDocument();
    await userEvent.click(screen.getByRole("button", { name: "Pons" }));
    expect(choose).toHaveBeenCalledWith("2.25.Pons");
  });

  it("scales bars by the largest part, and never by the total", () => {
    expect(largestByUnit(JOB.measurements).get("mL")).toBe(14.2);
  });
});

describe("a review", () => {
  it("is not offered to those who may not give one", async () => {
    await show(<ReviewPanel job={JOB} />, {}, "nurse");
    expect(screen.queryByRole("button")).toBeNull();
  });

  it("accepts at once", async () => {
    const asked = await show(<ReviewPanel job={JOB} />, { [REVIEW]: JOB });
    await userEvent.click(screen.getByRole("button", { name: "Accept" }));
    await waitFor(() => {
      const orders = asked.filter((one) => one.path.endsWith("/review"));
      expect(orders.map((one) => JSON.parse(one.body) as unknown)).toEqual([
        { verdict: "accept", reason: "", excluded: [], conclusion: "" },
      ]);
    });
  });

  it("rejects with a reason only", async () => {
    const asked = await show(<ReviewPanel job={JOB} />, { [REVIEW]: JOB });
    const user = userEvent.setup();
    await user.click(screen.getByRole("button", { name: "Reject" }));
    const dialog = await screen.findByRole("dialog");
    await user.click(screen.getAllByRole("button", { name: "Reject" }).at(-1) as HTMLElement);
    expect(asked.filter((one) => one.method === "POST")).toEqual([]);
    await user.type(screen.getByRole("textbox", { name: /Reason/ }), "motion artefacts");
    await user.click(screen.getAllByRole("button", { name: "Reject" }).at(-1) as HTMLElement);
    await waitFor(() => {
      expect(asked.some((one) => one.body.includes("motion artefacts"))).toBe(true);
    });
    expect(dialog).toBeDefined();
  });
});
