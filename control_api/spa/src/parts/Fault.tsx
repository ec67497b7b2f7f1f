import { Alert, Button, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

import { isAbsent, problemOf, UNREACHABLE, type Problem } from "../api/problem";
import { reasonText } from "../i18n/reasons";

/** Give what a problem says to a person, in their language where we have it. */
export function useProblemText(): (thrown: unknown) => string {
  const { t, i18n } = useTranslation();
  return (thrown) => {
    const problem = problemOf(thrown);
    if (problem.code === UNREACHABLE || problem.status >= 502) return t("problem.unreachable");
    if (isAbsent(problem)) return t("problem.absent");
    if (problem.status === 403) return t("problem.forbidden");
    if (problem.status === 429) return t("problem.tooMany");
    return [reasonText(problem.code, problem.title, i18n.language), ...details(problem)].join(" ");
  };
}

function details(problem: Problem): string[] {
  const members = (problem.errors ?? []).map((one) => `${one.pointer ?? ""}: ${one.detail ?? ""}`);
  return [problem.detail ? `(${problem.detail})` : "", ...members].filter(Boolean);
}

/** Say what went wrong, and offer to try again where that may help. */
export function Fault({ thrown, retry }: { readonly thrown: unknown; readonly retry?: (() => void) | undefined }) {
  const { t } = useTranslation();
  const text = useProblemText();
  const problem = problemOf(thrown);
  return (
    <Alert className="fault" icon={<IconAlertTriangle aria-hidden />} title={t("problem.title")} role="alert">
      <Text size="sm">{text(thrown)}</Text>
      {problem.request_id && (
        <Text size="xs" c="dimmed">
          {t("problem.request", { id: problem.request_id })}
        </Text>
      )}
      {retry && !isAbsent(problem) && (
        <Button mt="xs" size="xs" variant="default" onClick={retry}>
          {t("action.retry")}
        </Button>
      )}
    </Alert>
  );
}
