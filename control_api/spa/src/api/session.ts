import type { components } from "./schema";

export type Role = "admin" | "radiologist" | "doctor" | "nurse" | "technician" | "service";
export type Person = Pick<components["schemas"]["Account"], "username"> & { readonly role: Role };
type Granted = Pick<components["schemas"]["Tokens"], "access_token">;

/** What only a script of our own page can send with the cookie. */
export const FROM_OUR_PAGE = { "X-Requested-With": "neuronova" } as const;

/**
 * Who is logged in. The access token lives in this object only: never in a storage that another script could read.
 * The refresh token is an HttpOnly cookie that this program cannot see; it only asks for it to be used.
 */
export class Session {
  #token: string | undefined;
  #person: Person | undefined;
  #refreshing: Promise<boolean> | undefined;
  readonly #listeners = new Set<() => void>();

  get token(): string | undefined {
    return this.#token;
  }

  get person(): Person | undefined {
    return this.#person;
  }

  /** Be told when somebody comes or goes. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Give who is there, for a store that React watches. */
  snapshot = (): Person | undefined => this.#person;

  /** Begin with a token that was granted. */
  async begin(granted: Granted): Promise<void> {
    this.#token = granted.access_token;
    const answer = await fetch("/api/auth/me", { headers: { Authorization: `Bearer ${granted.access_token}` } });
    if (!answer.ok) {
      this.end();
      return;
    }
    this.#person = (await answer.json()) as Person;
    this.#tell();
  }

  /** Use the cookie, once however many ask at a time; say whether it was still good. */
  refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Forget who was there. */
  end(): void {
    this.#token = undefined;
    this.#person = undefined;
    this.#tell();
  }

  async #refresh(): Promise<boolean> {
    try {
      const headers = { "Content-Type": "application/json", ...FROM_OUR_PAGE };
      const answer = await fetch("/api/auth/refresh", {
        method: "POST",
        credentials: "same-origin",
        headers,
        body: "{}",
      });
      if (answer.ok) await this.begin((await answer.json()) as Granted);
      else this.end();
      return answer.ok && this.#token !== undefined;
    } catch {
      return false; // the node is away; who was there still is
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
