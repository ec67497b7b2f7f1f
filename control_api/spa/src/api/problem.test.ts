import { describe, expect, it } from "vitest";

import { isAbsent, problemOf, UNREACHABLE, withProblemBody } from "./problem";

describe("a refusal", () => {
  it("keeps the node's own words", async () => {
    const words = { status: 409, code: "job.illegal_transition", title: "No" };
    const answer = await withProblemBody(new Response(JSON.stringify(words), { status: 409 }));
    expect(problemOf(await answer.json())).toEqual(words);
  });

  it("is a problem too where a proxy answers with a page", async () => {
    const answer = await withProblemBody(new Response("<html>Bad Gateway</html>", { status: 502 }));
    expect(await answer.json()).toMatchObject({ status: 502, code: "http.502" });
  });

  it("of the network has a name of its own", () => {
    expect(problemOf(new TypeError("Failed to fetch"))).toMatchObject({ status: 0, code: UNREACHABLE });
  });

  it("leaves answers that are none alone", async () => {
    expect(await (await withProblemBody(new Response("fine"))).text()).toBe("fine");
    expect((await withProblemBody(new Response(null, { status: 304 }))).status).toBe(304);
  });
});

describe("a function that this node does not have", () => {
  it("is told from a thing that is not there", () => {
    expect(isAbsent({ status: 404, code: "http.not_found", title: "" })).toBe(true);
    expect(isAbsent({ status: 404, code: "job.not_found", title: "" })).toBe(false);
    expect(isAbsent({ status: 405, code: "http.method_not_allowed", title: "" })).toBe(true);
  });
});
