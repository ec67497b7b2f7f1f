import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { components } from "../api/schema";
import type { JobDetail, Measurement } from "../api/shapes";
import { dicomDate, signedPercent } from "../parts/format";
import { useQueries } from "../session/context";

type Comparison = components["schemas"]["Comparison"];

export interface Prior {
  readonly date: string;
  readonly absent: boolean;
  /** Part of the earlier value; undefined where nothing can be compared. */
  readonly changeOf: (row: Measurement) => number | undefined;
}

/** Give what changed since the study before, of what this job measured. */
export function usePrior(job: JobDetail): Prior {
  const answer = useQueries().useQuery(
    "get",
    "/api/studies/{study_uid}/comparison",
    { params: { path: { study_uid: job.study_uid } } },
    { staleTime: 30_000 },
  );
  return priorOf(answer.data?.comparisons.find((one) => one.current.job_id === job.job_id));
}

/** Read a comparison: changes by what was measured. */
export function priorOf(comparison: Comparison | undefined): Prior {
  const changes = new Map(
    (comparison?.structures ?? []).map((one) => [`${one.label} ${one.unit}`, one.change_percent] as const),
  );
  return {
    date: dicomDate(comparison?.prior?.study_date ?? ""),
    absent: comparison !== undefined && comparison.prior === null,
    changeOf: (row) => {
      const percent = row.quantity === "Volume" ? changes.get(`${row.label} ${row.unit}`) : null;
      return percent === null || percent === undefined ? undefined : percent / 100;
    },
  };
}

/** Show a change; its sign is in the text and not only in a colour. */
export function Change({ change }: { readonly change: number | undefined }) {
  const { i18n } = useTranslation();
  if (change === undefined) {
    return (
      <Text span size="sm" c="dimmed">
        –
      </Text>
    );
  }
  return <>{signedPercent(change, i18n.language)}</>;
}
