// Building elements from text only: nothing that the API says is ever read as markup.

/** Make an element with properties, data and children (nodes or text). */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { data, ...rest } = properties;
  Object.assign(element, rest);
  Object.assign(element.dataset, data ?? {});
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Make a table cell that still has its heading when the table is shown as a list on a narrow screen. */
export function cell(label, ...children) {
  return make("td", { data: { label } }, make("span", {}, ...children));
}

/** Make a small table. */
export function table(headings, rows) {
  const head = make("tr", {}, ...headings.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", {}, ...row.map((value) => make("td", {}, value ?? ""))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

/** Make a titled part of a detail row. */
export function part(title, content, wide = false) {
  return make("section", { className: wide ? "wide" : "" }, make("h3", {}, title), content);
}

const TONES = {
  COMPLETED: "good", analysed: "good", FAILED: "bad", REJECTED: "bad", rejected: "bad",
  PROCESSING: "busy", DELIVERING: "busy", REVIEWING: "busy", WITHDRAWING: "busy", receiving: "busy", WITHDRAWN: "bad",
};

/** Show a state in words; the colour only repeats it. */
export function state(name) {
  return make("span", { className: `state ${TONES[name] ?? ""}` }, name);
}

/** Show the end of a UID, with the whole of it on hover and to screen readers. */
export function uid(value) {
  const short = value.length > 22 ? `…${value.slice(-20)}` : value;
  return make("code", { title: value, ariaLabel: value }, short);
}

/** Show a time of day in the reader's own zone. */
export function time(text) {
  if (!text) return "";
  const moment = new Date(text);
  return make("time", { dateTime: text, title: text }, moment.toLocaleString([], { dateStyle: "short", timeStyle: "medium" }));
}
