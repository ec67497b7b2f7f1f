import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { useProblemText } from "./Fault";
import { sayDone, sayRefused } from "./notify";

/** What follows an order: everything shown is asked for again, and the person is told what came of it. */
export function useOutcome(done: string, then?: () => void) {
  const { t } = useTranslation();
  const text = useProblemText();
  const kept = useQueryClient();
  return {
    onSuccess: () => {
      sayDone(done);
      void kept.invalidateQueries();
      then?.();
    },
    onError: (problem: unknown) => {
      sayRefused(t("problem.title"), text(problem));
      void kept.invalidateQueries(); // it may be refused because somebody else was faster
    },
  };
}
