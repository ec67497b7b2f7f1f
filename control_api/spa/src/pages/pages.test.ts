import { describe, expect, it } from "vitest";

import type { Job, Study, StudyDetail } from "../api/shapes";
import { wantedPlace } from "./LoginPage";
import { plainAddress } from "./OpenInOHIF";
import { matches, standingOf } from "./standing";
import { shownJobs } from "./StudyPage";

const GAP = { code: "geometry.gap", message: "two slices are missing" };
const study = (jobs: Record<string, number>, more: Partial<Study> = {}): Study =>
  ({
    study_uid: "1.2",
    receiving: false,
    jobs,
    reasons: [GAP],
    patient_name: "Kim^Minsu",
    patient_id: "P-7",
    ...more,
  }) as Study;
const job = (more: Partial<Job>): Job =>
  ({
    job_id: "a",
    study_uid: "1.2",
    series_uid: "1.2.3",
    state: "COMPLETED",
    shadow: false,
    superseded_by: null,
    error: null,
    valid: true,
    model: { id: "brain", version: "1" },
    ...more,
  }) as Job;

describe("how far a study has come", () => {
  it("is what is under way first, then what needs somebody, then what is done", () => {
    expect(standingOf(study({ COMPLETED: 1, PROCESSING: 1 })).standing).toBe("PROCESSING");
    expect(standingOf(study({ COMPLETED: 1, FAILED: 1 })).standing).toBe("FAILED");
    expect(standingOf(study({ COMPLETED: 1, REJECTED: 3 })).standing).toBe("COMPLETED");
    expect(standingOf(study({}, { receiving: true })).standing).toBe("receiving");
    expect(standingOf(study({}, { reasons: [] })).standing).toBe("undecided");
  });

  it("says why where there is no result, and only there", () => {
    expect(standingOf(study({ REJECTED: 1 })).why).toEqual([GAP]);
    expect(standingOf(study({})).why).toEqual([GAP]);
    expect(standingOf(study({ COMPLETED: 1, REJECTED: 1 })).why).toEqual([]);
  });
});

describe("a search", () => {
  it("finds every word anywhere, in any case", () => {
    expect(matches(study({}), "minsu p-7")).toBe(true);
    expect(matches(study({}), "minsu p-8")).toBe(false);
    expect(matches(study({}), "")).toBe(true);
  });
});

describe("the results that are shown", () => {
  it("are the newest of each series and model that stand, or are said to be withdrawn", () => {
    const jobs = [
      job({ job_id: "old", superseded_by: "new" }),
      job({ job_id: "new" }),
      job({ job_id: "none", model: null, state: "REJECTED", valid: false }),
      job({ job_id: "failed", state: "FAILED", valid: false }),
      job({ job_id: "gone", state: "WITHDRAWN", valid: false, model: { id: "other", version: "1", digest: "" } }),
    ];
    const detail = { series: [{ jobs }, { jobs: [job({ job_id: "new" })] }] } as unknown as StudyDetail;
    expect(shownJobs(detail).map((one) => one.job_id)).toEqual(["new", "gone"]);
  });
});

describe("addresses", () => {
  it("after a login lead into the app only", () => {
    expect(wantedPlace({ from: "/studies/1.2?x=1" })).toBe("/studies/1.2?x=1");
    for (const from of ["//evil.example", "/\\evil.example", "https://evil.example", 7, undefined]) {
      expect(wantedPlace({ from })).toBe("/");
    }
    expect(wantedPlace(null)).toBe("/");
  });

  it("of OHIF name the study, and the segmentation where there is one", () => {
    expect(plainAddress("1.2", null)).toBe("/pacs-viewer/viewer?StudyInstanceUIDs=1.2");
    expect(plainAddress("1.2", "1.3")).toContain("&initialSeriesInstanceUID=1.3");
  });
});
