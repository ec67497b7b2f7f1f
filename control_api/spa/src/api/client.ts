import createFetchClient from "openapi-fetch";
import createQueryClient from "openapi-react-query";

import { Answers } from "./etags";
import { withProblemBody } from "./problem";
import type { paths } from "./schema";
import { FROM_OUR_PAGE, type Session } from "./session";

/** The API as the OpenAPI document describes it, with the token, with one refresh, and with tags of answers. */
export function createAPI(session: Session) {
  const answers = new Answers();
  session.subscribe(() => {
    if (session.token === undefined) answers.clear();
  });

  const ask = async (request: Request): Promise<Response> => {
    if (session.token !== undefined) request.headers.set("Authorization", `Bearer ${session.token}`);
    request.headers.set("X-Requested-With", FROM_OUR_PAGE["X-Requested-With"]);
    answers.prepare(request);
    return answers.settle(request, await fetch(request, { cache: "no-store" }));
  };

  const authorised = async (request: Request): Promise<Response> => {
    const spare = request.clone();
    const response = await ask(request);
    const ended = response.status === 401 && !new URL(request.url).pathname.startsWith("/api/auth/log");
    if (!ended || !(await session.refresh())) return withProblemBody(response);
    return withProblemBody(await ask(spare));
  };

  const client = createFetchClient<paths>({ baseUrl: window.location.origin, fetch: authorised });
  return { client, query: createQueryClient(client), fetch: authorised };
}

export type API = ReturnType<typeof createAPI>;
