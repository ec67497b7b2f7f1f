/** Give a moment in the reader's own zone and language. */
export function moment(text: string | null | undefined, language: string): string {
  if (!text) return "";
  return new Date(text).toLocaleString(language, { dateStyle: "short", timeStyle: "medium" });
}

/** Give the time of day. */
export function clock(text: string, language: string): string {
  return new Date(text).toLocaleTimeString(language);
}

/** Give a date as DICOM writes it (YYYYMMDD) as people read it; anything else stays as it is. */
export function dicomDate(text: string): string {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(text);
  return parts ? `${parts[1] ?? ""}-${parts[2] ?? ""}-${parts[3] ?? ""}` : text;
}

/**
 * Give a name as DICOM writes it as people read it: groups (alphabetic, ideographic, phonetic) apart, carets as spaces.
 * A reader of Korean is shown the ideographic or phonetic group first, where there is one.
 */
export function personName(text: string, language: string): string {
  const groups = text.split("=").map((group) => group.split("^").filter(Boolean).join(" ").trim());
  const [alphabetic = "", ideographic = "", phonetic = ""] = groups;
  const korean = [phonetic, ideographic].find((group) => /[\uac00-\ud7a3]/.test(group)) ?? ideographic;
  const shown = language.startsWith("ko") ? [korean, alphabetic] : [alphabetic, korean];
  const [first = "", second = ""] = shown.filter((part, at) => part !== "" && shown.indexOf(part) === at);
  return second ? `${first} (${second})` : first;
}

/** Give a number with so many significant digits that it can be compared, in the reader's language. */
export function quantity(value: number, language: string): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** Give a part of one as percent. */
export function percent(part: number, language: string, digits = 0): string {
  return part.toLocaleString(language, { style: "percent", maximumFractionDigits: digits });
}

/** Give a change as signed percent. */
export function signedPercent(part: number, language: string): string {
  return part.toLocaleString(language, { style: "percent", signDisplay: "exceptZero", maximumFractionDigits: 1 });
}

/** Give bytes as people count them. */
export function bytes(count: number, language: string): string {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(count, 1)) / 10));
  const unit = ["B", "KiB", "MiB", "GiB", "TiB"][power] ?? "B";
  return `${(count / 2 ** (10 * power)).toLocaleString(language, { maximumFractionDigits: power ? 1 : 0 })} ${unit}`;
}

/** Give a duration in seconds. */
export function seconds(count: number, language: string): string {
  const digits = count < 1 ? 2 : count < 100 ? 1 : 0;
  return `${count.toLocaleString(language, { maximumFractionDigits: digits })} s`;
}
