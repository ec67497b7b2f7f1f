import { describe, expect, it } from "vitest";

import { Answers } from "./etags";

const ask = (path = "/api/jobs", method = "GET") => new Request(`http://node${path}`, { method });
const tagged = (body: string, etag = '"1"') =>
  new Response(body, { headers: { ETag: etag, "Content-Type": "application/json" } });
const unchanged = () => new Response(null, { status: 304 });

describe("what was answered once", () => {
  it("is asked for again by its tag and given again while nothing changed", async () => {
    const answers = new Answers();
    await answers.settle(ask(), tagged("one"));
    const again = ask();
    answers.prepare(again);
    expect(again.headers.get("If-None-Match")).toBe('"1"');
    const given = await answers.settle(again, unchanged());
    expect([given.status, await given.text()]).toEqual([200, "one"]);
    expect(await (await answers.settle(again, unchanged())).text()).toBe("one");
  });

  it("is replaced by a newer answer", async () => {
    const answers = new Answers();
    await answers.settle(ask(), tagged("one"));
    await answers.settle(ask(), tagged("two", '"2"'));
    expect(await (await answers.settle(ask(), unchanged())).text()).toBe("two");
  });

  it("is forgotten when somebody leaves, so that the next person sees nothing of it", async () => {
    const answers = new Answers();
    await answers.settle(ask(), tagged("one"));
    answers.clear();
    const again = ask();
    answers.prepare(again);
    expect(again.headers.has("If-None-Match")).toBe(false);
  });

  it("is kept for questions only, without end of room", async () => {
    const answers = new Answers(2);
    await answers.settle(ask("/api/jobs", "POST"), tagged("made"));
    for (const path of ["/a", "/b", "/c"]) await answers.settle(ask(path), tagged(path));
    const [oldest, newest, order] = [ask("/a"), ask("/c"), ask("/api/jobs", "POST")];
    for (const request of [oldest, newest, order]) answers.prepare(request);
    expect([oldest, newest, order].map((one) => one.headers.has("If-None-Match"))).toEqual([false, true, false]);
  });

  it("is not kept where it is an error or has no tag", async () => {
    const answers = new Answers();
    await answers.settle(ask(), new Response("no", { status: 404, headers: { ETag: '"x"' } }));
    await answers.settle(ask(), new Response("untagged"));
    const again = ask();
    answers.prepare(again);
    expect(again.headers.has("If-None-Match")).toBe(false);
  });
});
