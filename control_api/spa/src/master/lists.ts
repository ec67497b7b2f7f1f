import type { components } from "../api/schema";
import type { Role } from "../api/session";
import type { en } from "../i18n/en";

type Schemas = components["schemas"];
export type Entry = Pick<Schemas["KeptMedication"], "code" | "name_en" | "name_ko" | "active" | "version"> &
  Partial<Record<FieldName, string>> & { readonly reference_ranges?: readonly Schemas["ReferenceRange"][] };

export type FieldName = keyof typeof en.field;
export type ListName = "medications" | "diagnoses" | "tests";

interface List {
  /** The address; all three lists are used alike, so the first stands for all where types are concerned. */
  readonly path: "/api/ocs/medications";
  readonly fields: readonly FieldName[];
  readonly writers: readonly Role[];
}

/** The lists of master data: where each is, what its entries say besides names, and who writes in it. */
export const LISTS: Readonly<Record<ListName, List>> = {
  medications: {
    path: "/api/ocs/medications",
    fields: ["atc_code", "dose_form", "strength", "route"],
    writers: ["admin", "radiologist", "doctor"],
  },
  diagnoses: {
    path: "/api/ocs/diagnoses" as "/api/ocs/medications",
    fields: ["icd10_code"],
    writers: ["admin", "radiologist", "doctor"],
  },
  tests: {
    path: "/api/lis/tests" as "/api/ocs/medications",
    fields: ["loinc_code", "unit", "specimen"],
    writers: ["admin", "technician"],
  },
};

/** Give the usual values of a test in words, range by range. */
export function rangeTexts(entry: Entry, sexes: Readonly<Record<"any" | "male" | "female", string>>): string[] {
  return (entry.reference_ranges ?? []).map((range) => {
    const values = [range.low, range.high].map((value) => (value === null ? "" : String(value))).join("–");
    const ages =
      range.age_from === null && range.age_to === null ? "" : `${range.age_from ?? 0}–${range.age_to ?? ""}`;
    return [range.sex === "any" ? "" : sexes[range.sex], ages, values].filter(Boolean).join(" ");
  });
}
