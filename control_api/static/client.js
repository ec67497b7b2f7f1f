// The API as this page uses it. The token lives as long as the browser tab.

const KEY = "neuronova-token";

export const session = {
  get token() { return sessionStorage.getItem(KEY); },
  keep(token) { sessionStorage.setItem(KEY, token); },
  end() { sessionStorage.removeItem(KEY); },
};

/** What the API refused, in its own words. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ? `${problem.title} (${problem.detail})` : problem.title);
    this.status = problem.status;
  }
}

/** Call the API and give the document it answers with. */
export async function call(path, { method = "GET", body } = {}) {
  const headers = { Accept: "application/json" };
  if (session.token) headers.Authorization = `Bearer ${session.token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(`/api${path}`, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  if (response.status === 204) return null;
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  throw new Refused(problemOf(text, response));
}

function problemOf(text, response) {
  try {
    return JSON.parse(text);
  } catch {
    return { title: `The node answered ${response.status} ${response.statusText}`, status: response.status };
  }
}
