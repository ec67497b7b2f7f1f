import { describe, expect, it } from "vitest";

import { bytes, dicomDate, moment, personName, quantity, signedPercent } from "./format";

describe("names as DICOM writes them", () => {
  it.each([
    ["Kim^Minsu=金民秀=김민수", "en", "Kim Minsu (김민수)"],
    ["Kim^Minsu=金民秀=김민수", "ko", "김민수 (Kim Minsu)"],
    ["Doe^Jane^^Dr.", "en", "Doe Jane Dr."],
    ["홍^길동", "ko", "홍 길동"],
    ["", "en", ""],
  ])("%s in %s is read as %s", (written, language, read) => {
    expect(personName(written, language)).toBe(read);
  });
});

describe("numbers", () => {
  it("have digits enough to be compared, and not more", () => {
    expect([0.123, 1.234, 12.34, 1234.5].map((one) => quantity(one, "en"))).toEqual([
      "0.12",
      "1.23",
      "12.3",
      "1,235",
    ]);
  });

  it("of change have their sign in the text", () => {
    expect([0.051, -0.02, 0].map((one) => signedPercent(one, "en"))).toEqual(["+5.1%", "-2%", "0%"]);
  });

  it("of bytes are in units that people know", () => {
    expect([0, 512, 2048, 5 * 2 ** 30].map((one) => bytes(one, "en"))).toEqual(["0 B", "512 B", "2 KiB", "5 GiB"]);
  });
});

describe("dates", () => {
  it("are read where they are dates, and left alone where not", () => {
    expect(["20260102", "", "2026"].map(dicomDate)).toEqual(["2026-01-02", "", "2026"]);
    expect(moment(null, "en")).toBe("");
  });
});
