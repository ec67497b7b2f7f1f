import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { UNDER_WAY, type JobDetail } from "../api/shapes";
import { en } from "../i18n/en";
import { moment, seconds } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { Reason } from "../parts/Reason";
import { Records } from "../parts/Records";
import { useQueries } from "../session/context";

/** What happened to a job, in order. */
export function JobLog({ job }: { readonly job: JobDetail }) {
  const { t, i18n } = useTranslation();
  const answer = useQueries().useQuery(
    "get",
    "/api/jobs/{job_id}/logs",
    { params: { path: { job_id: job.job_id } } },
    { refetchInterval: UNDER_WAY.has(job.state) && 3000 },
  );
  return (
    <Loaded answer={answer}>
      {({ events }) => (
        <Records
          caption={t("jobs.logs")}
          rows={events}
          rowKey={(event, at) => `${event.at} ${String(at)}`}
          empty={t("jobs.noLogs")}
          columns={[
            { heading: t("fact.when"), cell: (event) => moment(event.at, i18n.language) },
            { heading: t("jobs.event"), cell: (event) => <Named name={event.name} detail={event.detail} /> },
            { heading: t("jobs.attempt"), numeric: true, cell: (event) => event.attempt },
            {
              heading: t("jobs.seconds"),
              numeric: true,
              cell: (event) => (event.seconds === null ? null : seconds(event.seconds, i18n.language)),
            },
            { heading: t("fact.who"), cell: (event) => event.by ?? event.destination },
            {
              heading: t("fact.reason"),
              cell: (event) =>
                event.code ? <Reason code={event.code} message={event.message ?? ""} /> : event.message,
            },
          ]}
        />
      )}
    </Loaded>
  );
}

/** Name what happened: a state, a stage, an errand or a verdict, in the reader's language where it is one of these. */
function Named({ name, detail }: { readonly name: string; readonly detail: string }) {
  const { t } = useTranslation();
  return (
    <>
      {name in en.event ? t(`event.${name as keyof typeof en.event}`) : name}
      <Text span size="sm" c="dimmed">
        {" "}
        {detailText(detail, t)}
      </Text>
    </>
  );
}

function detailText(detail: string, t: ReturnType<typeof useTranslation>["t"]): string {
  if (detail in en.state) return t(`state.${detail as keyof typeof en.state}`);
  if (detail in en.stage) return t(`stage.${detail as keyof typeof en.stage}`);
  if (detail in en.errand) return t(`errand.${detail as keyof typeof en.errand}`);
  return detail;
}
