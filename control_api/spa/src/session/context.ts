import { createContext, use, useSyncExternalStore } from "react";

import type { API } from "../api/client";
import type { Person, Role, Session } from "../api/session";

export interface Node {
  readonly api: API;
  readonly session: Session;
}

export const NodeContext = createContext<Node | undefined>(undefined);

/** Give the node that this app talks to. */
export function useNode(): Node {
  const node = use(NodeContext);
  if (!node) throw new Error("outside of a NodeContext");
  return node;
}

/** Give the queries of the API. */
export function useQueries(): API["query"] {
  return useNode().api.query;
}

/** Give who is logged in, if anybody is. */
export function usePerson(): Person | undefined {
  const { session } = useNode();
  return useSyncExternalStore(session.subscribe, session.snapshot);
}

/** Who may do what; the API decides, and this only spares people buttons that would be refused. */
const ALLOWED = {
  operate: ["admin", "radiologist", "technician", "service"],
  review: ["radiologist", "doctor"],
  administer: ["admin"],
} as const satisfies Record<string, readonly Role[]>;

export type Right = keyof typeof ALLOWED;

/** Say whether somebody of a role may do something. */
export function may(role: Role | undefined, right: Right): boolean {
  return role !== undefined && (ALLOWED[right] as readonly Role[]).includes(role);
}

/** Say whether the one who is logged in may do something. */
export function useMay(right: Right): boolean {
  return may(usePerson()?.role, right);
}
