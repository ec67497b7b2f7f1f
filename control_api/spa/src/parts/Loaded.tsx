import { Center, Loader } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Fault } from "./Fault";

interface Answer<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly refetch: () => unknown;
}

interface Properties<T> {
  readonly answer: Answer<T>;
  readonly children: (data: T) => ReactNode;
}

/** Show what was answered; until then that it is loading, and above it why a later question failed. */
export function Loaded<T>({ answer, children }: Properties<T>) {
  const { t } = useTranslation();
  const fault = answer.error ? <Fault thrown={answer.error} retry={() => void answer.refetch()} /> : null;
  if (answer.data === undefined) {
    return (
      fault ?? (
        <Center mih={160} role="status" aria-label={t("app.loading")}>
          <Loader aria-hidden />
        </Center>
      )
    );
  }
  return (
    <>
      {fault}
      {children(answer.data)}
    </>
  );
}
