import "@testing-library/jest-dom/vitest";

import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

afterEach(cleanup);

// What jsdom lacks and the component library asks for.
vi.stubGlobal(
  "ResizeObserver",
  class {
    observe() {
      /* nothing is laid out */
    }
    unobserve() {
      /* nothing is laid out */
    }
    disconnect() {
      /* nothing is laid out */
    }
  },
);
window.matchMedia = (query: string) =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
  }) as unknown as MediaQueryList;
window.scrollTo = () => undefined;
Element.prototype.scrollIntoView = () => undefined;
