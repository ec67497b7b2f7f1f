import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { JobDetail } from "../api/shapes";
import { en } from "../i18n/en";
import { moment } from "../parts/format";
import { Reason } from "../parts/Reason";
import { Records } from "../parts/Records";
import { State } from "../parts/State";

type Errand = keyof typeof en.errand;

/** Where a result has arrived, and where not yet. */
export function Deliveries({ job }: { readonly job: JobDetail }) {
  const { t, i18n } = useTranslation();
  return (
    <Records
      caption={t("jobs.deliveries")}
      rows={job.deliveries}
      rowKey={(one) => `${one.destination} ${one.errand}`}
      empty={t("fact.nothing")}
      columns={[
        { heading: t("jobs.destination"), bare: true, cell: (one) => <Text fw={600}>{one.destination}</Text> },
        {
          heading: t("jobs.errand"),
          cell: (one) => (one.errand in en.errand ? t(`errand.${one.errand as Errand}`) : one.errand),
        },
        { heading: t("fact.state"), cell: (one) => <State name={one.state} /> },
        { heading: t("jobs.attempts"), numeric: true, cell: (one) => one.attempts },
        {
          heading: t("fact.reason"),
          cell: (one) => (one.code ? <Reason code={one.code} message={one.message ?? ""} /> : null),
        },
        {
          heading: t("fact.when"),
          cell: (one) =>
            one.settled_at
              ? moment(one.settled_at, i18n.language)
              : one.next_run_at && t("jobs.nextTry", { when: moment(one.next_run_at, i18n.language) }),
        },
      ]}
    />
  );
}
