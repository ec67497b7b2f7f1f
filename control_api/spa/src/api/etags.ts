/** What was answered once, by address: a question whose answer has not changed costs the node nothing. */
export class Answers {
  readonly #kept = new Map<string, { etag: string; type: string; body: ArrayBuffer }>();

  constructor(private readonly limit = 200) {}

  /** Ask again only for what changed: adds If-None-Match where an answer is kept. */
  prepare(request: Request): void {
    const kept = this.#kept.get(request.url);
    if (request.method === "GET" && kept) request.headers.set("If-None-Match", kept.etag);
  }

  /** Give the kept answer for a 304, and keep a new one that has a tag. */
  async settle(request: Request, response: Response): Promise<Response> {
    if (request.method !== "GET") return response;
    if (response.status === 304) return this.#again(request.url) ?? response;
    const etag = response.headers.get("ETag");
    if (!response.ok || etag === null) return response;
    const body = await response.clone().arrayBuffer();
    this.#keep(request.url, { etag, type: response.headers.get("Content-Type") ?? "", body });
    return response;
  }

  /** Forget everything; what one person saw is not for the next. */
  clear(): void {
    this.#kept.clear();
  }

  #again(url: string): Response | undefined {
    const kept = this.#kept.get(url);
    return kept && new Response(kept.body.slice(0), { status: 200, headers: { "Content-Type": kept.type } });
  }

  #keep(url: string, answer: { etag: string; type: string; body: ArrayBuffer }): void {
    this.#kept.delete(url);
    this.#kept.set(url, answer);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > this.limit && !oldest.done) this.#kept.delete(oldest.value);
  }
}
