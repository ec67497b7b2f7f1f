import type { ReactNode } from "react";

import { isAbsent, problemOf } from "../api/problem";
import { Loaded } from "./Loaded";
import { Section } from "./Section";

interface Properties<T> {
  readonly title: string;
  readonly aside?: ReactNode;
  readonly answer: { readonly data: T | undefined; readonly error: unknown; readonly refetch: () => unknown };
  readonly children: (data: T) => ReactNode;
}

/** A part of a page that a node of an earlier version does not offer, and that is then not shown. */
export function Offered<T>({ title, aside, answer, children }: Properties<T>) {
  if (answer.error && isAbsent(problemOf(answer.error))) return null;
  return (
    <Section title={title} aside={aside}>
      <Loaded answer={answer}>{children}</Loaded>
    </Section>
  );
}
