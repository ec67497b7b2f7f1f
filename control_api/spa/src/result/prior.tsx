import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { JobDetail, Measurement } from "../api/shapes";
import { signedPercent } from "../parts/format";

export interface Prior {
  readonly date: string;
  readonly absent: boolean;
  readonly changeOf: (row: Measurement) => number | undefined;
}

/** Give what changed since the study before. */
export function usePrior(job: JobDetail): Prior {
  return { date: "", absent: job.job_id === "", changeOf: () => undefined };
}

/** Show a change; its sign is in the text and not only in a colour. */
export function Change({ change }: { readonly change: number | undefined }) {
  const { i18n } = useTranslation();
  if (change === undefined)
    return (
      <Text span size="sm" c="dimmed">
        –
      </Text>
    );
  return <>{signedPercent(change, i18n.language)}</>;
}
