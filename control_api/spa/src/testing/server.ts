import { vi } from "vitest";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: string;
}

type Answer = unknown;
export type Answers = Readonly<Record<string, Answer>>;

/** Answer what is fetched by method and path; a number is a status without a body, anything else a JSON document. */
export function serve(answers: Answers): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(
      input instanceof Request ? input : new URL(String(input), window.location.origin),
      init,
    );
    const { pathname, searchParams: query } = new URL(request.url);
    const key = `${request.method} ${pathname}`;
    asked.push({
      method: request.method,
      path: pathname,
      query,
      headers: request.headers,
      body: await request.clone().text(),
    });
    const found = answers[key];
    const answer =
      typeof found === "function" ? (found as (asked: Asked | undefined) => Answer)(asked.at(-1)) : found;
    if (answer instanceof Response) return answer;
    if (typeof answer === "number") return new Response(null, { status: answer });
    if (answer === undefined)
      return Response.json({ status: 404, code: "http.not_found", title: key }, { status: 404 });
    return Response.json(answer);
  });
  return asked;
}
