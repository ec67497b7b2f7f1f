/* What a person likes to see; nothing in here says who they are. */
/* eslint no-restricted-globals: "off" -- the one place that keeps preferences */

/** Give a preference, or null where the browser keeps none. */
export function preference(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keep a preference, where the browser lets us. */
export function prefer(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing shows the defaults next time.
  }
}
