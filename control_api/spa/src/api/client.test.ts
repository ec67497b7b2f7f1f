import { beforeEach, describe, expect, it, vi } from "vitest";

import { serve } from "../testing/server";
import { createAPI } from "./client";
import { Session } from "./session";

const ME = { username: "reader", role: "radiologist" };
const refused = () => Response.json({ status: 401, code: "auth.invalid_token", title: "no" }, { status: 401 });

async function loggedIn(): Promise<Session> {
  const session = new Session();
  await session.begin({ access_token: "old" });
  return session;
}

describe("a session", () => {
  beforeEach(() => vi.unstubAllGlobals());

  it("is not written where another script could read it", async () => {
    serve({ "GET /api/auth/me": ME });
    const session = await loggedIn();
    expect(session.person).toEqual(ME);
    expect(
      JSON.stringify([Object.entries(window.localStorage), Object.entries(window.sessionStorage), document.cookie]),
    ).not.toContain("old");
  });

  it("goes on by the cookie when the token has ended, once for all who ask meanwhile", async () => {
    const granted = { "POST /api/auth/refresh": { access_token: "new" }, "GET /api/auth/me": ME };
    const jobs = (one: { headers: Headers }) =>
      one.headers.get("Authorization") === "Bearer new" ? { items: [], next: null } : refused();
    const asked = serve({ ...granted, "GET /api/jobs": jobs });
    const session = await loggedIn();
    const { client } = createAPI(session);
    const answers = await Promise.all([client.GET("/api/jobs"), client.GET("/api/jobs"), client.GET("/api/jobs")]);
    expect(answers.map((answer) => answer.data?.items)).toEqual([[], [], []]);
    const refreshes = asked.filter((one) => one.path === "/api/auth/refresh");
    expect(refreshes).toHaveLength(1);
    expect(refreshes[0]?.headers.get("X-Requested-With")).toBeTruthy();
  });

  it("ends where the cookie is not good any more, and says so", async () => {
    serve({ "GET /api/auth/me": ME, "POST /api/auth/refresh": refused, "GET /api/jobs": refused });
    const session = await loggedIn();
    const told = vi.fn();
    session.subscribe(told);
    const { error } = await createAPI(session).client.GET("/api/jobs");
    expect(error).toMatchObject({ status: 401 });
    expect(session.person).toBeUndefined();
    expect(told).toHaveBeenCalled();
  });

  it("outlives a node that is away for a moment", async () => {
    serve({ "GET /api/auth/me": ME });
    const session = await loggedIn();
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    expect(await session.refresh()).toBe(false);
    expect(session.person).toEqual(ME);
  });

  it("does not take a wrong password for a token that ended", async () => {
    const asked = serve({ "POST /api/auth/login": refused, "POST /api/auth/refresh": { access_token: "other" } });
    const body = { username: "reader", password: "wrong", refresh: "cookie" } as const;
    const { error } = await createAPI(new Session()).client.POST("/api/auth/login", { body });
    expect(error).toMatchObject({ status: 401 });
    expect(asked.map((one) => one.path)).toEqual(["/api/auth/login"]);
  });
});
