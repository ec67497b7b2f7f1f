import { fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import type { PreviewFacts } from "../api/shapes";
import { show } from "../testing/render";
import { pictureAddress } from "./pictures";
import { SliceViewer } from "./SliceViewer";
import { stepOf } from "./steps";

const FACTS = {
  job_id: "a".repeat(32),
  slices: 20,
  sides: ["R", "L", "A", "P"],
  windows: [
    { name: "default", low: 0, high: 1 },
    { name: "full", low: 0, high: 2 },
  ],
  structures: [
    { number: 1, label: "Thalamus", tracking_uid: "2.25.1" },
    { number: 2, label: "Pons", tracking_uid: "2.25.2" },
  ],
} as unknown as PreviewFacts;
const BASE = "/api/studies/1.2/series/1.3/preview";

describe("keys", () => {
  it("lead from slice to slice and never past the ends", () => {
    expect(["ArrowDown", "ArrowUp", "PageDown", "Home", "End"].map((key) => stepOf(key, 5, 10))).toEqual([
      6, 4, 10, 1, 10,
    ]);
    expect(stepOf("ArrowUp", 1, 10)).toBe(1);
    expect(stepOf("x", 5, 10)).toBeUndefined();
  });
});

describe("a picture", () => {
  it("is asked for with all that decides how it looks", () => {
    const order = { base: BASE, number: 3, overlay: true, window: "full", structures: [2], jobId: "j" };
    expect(pictureAddress(order)).toBe(`${BASE}/slices/3.png?job_id=j&window=full&overlay=true&structures=2`);
    expect(pictureAddress({ ...order, overlay: false })).not.toContain("structures");
  });
});

describe("the viewer", () => {
  beforeEach(() => {
    URL.createObjectURL = vi.fn(() => "blob:picture");
    URL.revokeObjectURL = vi.fn();
  });

  it("is gone through by keys alone, and says where it is", async () => {
    const asked = await show(<SliceViewer base={BASE} facts={FACTS} chosen="2.25.2" />);
    const user = userEvent.setup();
    const viewer = screen.getByRole("slider", { name: "Preview of the slices" });
    expect(viewer).toHaveAttribute("aria-valuetext", "Slice 10 of 20");
    viewer.focus();
    await user.keyboard("{ArrowDown}{PageDown}o2");
    expect(viewer).toHaveAttribute("aria-valuetext", "Slice 20 of 20");
    expect(screen.getByRole("switch", { name: "Overlay" })).not.toBeChecked();
    expect(screen.getByRole("radio", { name: "Full range" })).toBeChecked();
    await waitFor(() => {
      expect(asked.map((one) => one.path)).toContain(`${BASE}/slices/20.png`);
    });
  });

  it("turns by the wheel, and the page does not scroll meanwhile", async () => {
    await show(<SliceViewer base={BASE} facts={FACTS} chosen={null} />);
    const viewer = screen.getByRole("slider", { name: "Preview of the slices" });
    const scrolled = fireEvent.wheel(viewer, { deltaY: 120 });
    fireEvent.wheel(viewer, { deltaY: 120 });
    fireEvent.wheel(viewer, { deltaY: -120 });
    expect(scrolled).toBe(false);
    expect(viewer).toHaveAttribute("aria-valuetext", "Slice 11 of 20");
  });

  it("draws the chosen structure alone", async () => {
    const asked = await show(<SliceViewer base={BASE} facts={FACTS} chosen="2.25.2" />);
    await waitFor(() => {
      expect(asked.some((one) => one.query.get("structures") === "2")).toBe(true);
    });
  });
});
