import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { UNDER_WAY, type JobDetail } from "../api/shapes";
import { en } from "../i18n/en";
import { seconds } from "../parts/format";
import { useQueries } from "../session/context";
import { phasesIn, phasesOf, spanOf, type Phase } from "./phases";

type Stage = keyof typeof en.stage;

/** Where the time of a job went: a bar for each phase on one axis, with its length in words. */
export function Timeline({ job }: { readonly job: JobDetail }) {
  const { t, i18n } = useTranslation();
  const phases = usePhases(job);
  if (phases.length === 0) return <Text size="sm">{t("jobs.noStages")}</Text>;
  const span = spanOf(phases, (Date.parse(job.updated_at) - Date.parse(job.created_at)) / 1000);
  return (
    <>
      <table className="timeline">
        <caption className="visually-hidden">{t("jobs.timeline")}</caption>
        <thead className="visually-hidden">
          <tr>
            <th scope="col">{t("jobs.stage")}</th>
            <th scope="col">{t("jobs.timeline")}</th>
            <th scope="col">{t("jobs.seconds")}</th>
          </tr>
        </thead>
        <tbody>
          {phases.map((phase, at) => (
            <tr key={`${phase.name} ${String(at)}`}>
              <th scope="row">
                <PhaseName phase={phase} />
              </th>
              <td className="lane">
                <Lane phase={phase} span={span} />
              </td>
              <td className="number">{phase.seconds === null ? "…" : seconds(phase.seconds, i18n.language)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Text size="sm" c="dimmed" mt="xs">
        {t("jobs.totalTime", { seconds: seconds(span, i18n.language) })}
      </Text>
    </>
  );
}

/** The node's own account of the time; of one that keeps none, the stages alone. */
function usePhases(job: JobDetail): Phase[] {
  const answer = useQueries().useQuery(
    "get",
    "/api/jobs/{job_id}/timeline",
    { params: { path: { job_id: job.job_id } } },
    { refetchInterval: UNDER_WAY.has(job.state) && 2000 },
  );
  return answer.data ? phasesIn(answer.data) : phasesOf(job);
}

function PhaseName({ phase }: { readonly phase: Phase }) {
  const { t } = useTranslation();
  const name = phase.name in en.stage ? t(`stage.${phase.name as Stage}`) : phase.name;
  return (
    <>
      {name}
      {phase.attempt !== null && phase.attempt > 1 && (
        <Text span size="xs" c="dimmed">
          {" "}
          {t("jobs.attempt")} {phase.attempt}
        </Text>
      )}
    </>
  );
}

function Lane({ phase, span }: { readonly phase: Phase; readonly span: number }) {
  const start = (100 * phase.start) / span;
  const width = Math.max(0.4, (100 * (phase.seconds ?? span - phase.start)) / span);
  return (
    <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden>
      <rect className="bar-ground" width="100" height="10" />
      <rect className={`phase phase-${phase.kind}`} x={Math.min(start, 99.6)} width={width} height="10" />
    </svg>
  );
}
