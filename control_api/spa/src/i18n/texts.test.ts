import { describe, expect, it } from "vitest";

import { firstLanguage, startTexts } from ".";
import { en } from "./en";
import { ko } from "./ko";
import { REASONS, reasonText } from "./reasons";

type Tree = { readonly [name: string]: string | Tree };

function leaves(tree: Tree, path = ""): [string, string][] {
  return Object.entries(tree).flatMap(([name, value]) =>
    typeof value === "string" ? [[`${path}${name}`, value] as [string, string]] : leaves(value, `${path}${name}.`),
  );
}

const placeholders = (text: string) => (text.match(/{{\w+}}/g) ?? []).sort();
const SAME = ["app.otherLanguage", "field.icd10_code", "field.loinc_code"];

describe("the texts", () => {
  it("are all there in both languages", () => {
    expect(leaves(ko).map(([name]) => name)).toEqual(leaves(en).map(([name]) => name));
    expect([...leaves(en), ...leaves(ko)].filter(([, text]) => text.trim() === "")).toEqual([]);
  });

  it("are Korean where they should be", () => {
    const foreign = leaves(ko).filter(
      ([name, text]) => !SAME.includes(name) && !/[가-힣]/.test(text.replace(/{{\w+}}/g, "")),
    );
    const onlyNumbers = foreign.filter(([, text]) => /[A-Za-z]/.test(text.replace(/{{\w+}}/g, "")));
    expect(onlyNumbers).toEqual([]);
  });

  it("name the same values in both", () => {
    const korean = new Map(leaves(ko));
    const differing = leaves(en).filter(([name, text]) => {
      return placeholders(text).join() !== placeholders(korean.get(name) ?? "").join();
    });
    expect(differing).toEqual([]);
  });

  it("begin in the browser's language unless another was chosen", () => {
    expect(firstLanguage(null, "ko-KR")).toBe("ko");
    expect(firstLanguage(null, "de-DE")).toBe("en");
    expect(firstLanguage("en", "ko-KR")).toBe("en");
    expect(startTexts("ko").t("nav.studies")).toBe("검사");
    expect(startTexts("en").t("studies.shown", { count: 1 })).toBe("1 study");
  });
});

describe("reasons", () => {
  it("are said in both languages", () => {
    const silent = Object.entries(REASONS).filter(([, [english, korean]]) => !english || !/[가-힣]/.test(korean));
    expect(silent).toEqual([]);
    expect(reasonText("geometry.gap", "two slices", "ko")).toContain("단면");
  });

  it("that are newer than this page are given in the node's own words", () => {
    expect(reasonText("tomorrow.reason", "because of tomorrow", "ko")).toBe("because of tomorrow");
  });
});
