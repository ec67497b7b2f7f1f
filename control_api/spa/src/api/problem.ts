/** A refusal as the API words it (RFC 9457), whatever it was that refused. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail?: string | undefined;
  readonly errors?: readonly { readonly pointer?: string; readonly detail?: string }[] | undefined;
  readonly request_id?: string | undefined;
}

/** The code of what the page says itself where the node did not answer at all. */
export const UNREACHABLE = "page.unreachable";

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "status" in value && "title" in value && "code" in value;
}

/** Read what was thrown by a query as a problem; an exception of the network is one too. */
export function problemOf(thrown: unknown): Problem {
  if (isProblem(thrown)) return thrown;
  return { status: 0, code: UNREACHABLE, title: thrown instanceof Error ? thrown.message : String(thrown) };
}

/** Say whether this node does not have the function at all, as one of an earlier version has not. */
export function isAbsent(problem: Problem): boolean {
  return problem.status === 405 || (problem.status === 404 && problem.code === "http.not_found");
}

/** Give a response whose body is always a problem document where it is an error, as clients expect it. */
export async function withProblemBody(response: Response): Promise<Response> {
  if (response.ok || response.status === 304) return response;
  const text = await response.text();
  const problem = parsed(text) ?? {
    status: response.status,
    code: `http.${response.status}`,
    title: response.statusText || `HTTP ${response.status}`,
  };
  return new Response(JSON.stringify(problem), {
    status: response.status,
    headers: { "Content-Type": "application/problem+json" },
  });
}

function parsed(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isProblem(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
