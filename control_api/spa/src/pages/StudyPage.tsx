import { Anchor, Badge, Card, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";

import { problemOf } from "../api/problem";
import type { Job, Series, StudyDetail } from "../api/shapes";
import { Facts } from "../parts/Facts";
import { dicomDate, moment, personName } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Reason } from "../parts/Reason";
import { Records } from "../parts/Records";
import { Section } from "../parts/Section";
import { State } from "../parts/State";
import { ResultPanel } from "../result/ResultPanel";
import { useQueries } from "../session/context";
import { OpenInOHIF } from "./OpenInOHIF";
import { StudyActions } from "./StudyActions";

const POLL_MS = 3000;

/** One study: what arrived, what was decided, what was found. */
export default function StudyPage() {
  const { t, i18n } = useTranslation();
  const { studyUid = "" } = useParams();
  const answer = useQueries().useQuery(
    "get",
    "/api/studies/{study_uid}",
    { params: { path: { study_uid: studyUid } } },
    { refetchInterval: POLL_MS },
  );
  const study = answer.data;
  const name = study && (personName(study.patient_name, i18n.language) || t("studies.unnamed"));
  const absent = answer.error && problemOf(answer.error).code === "study.not_found";
  return (
    <Page title={name ?? t("study.title")} actions={study && <Actions study={study} />}>
      {absent ? <p>{t("study.notFound")}</p> : <Loaded answer={answer}>{(data) => <Content study={data} />}</Loaded>}
    </Page>
  );
}

function Actions({ study }: { readonly study: StudyDetail }) {
  return (
    <>
      <StudyActions study={study} />
      <OpenInOHIF study={study} job={shownJobs(study)[0]} />
    </>
  );
}

function Content({ study }: { readonly study: StudyDetail }) {
  const { t } = useTranslation();
  const results = shownJobs(study);
  return (
    <Stack gap="md">
      <StudyFacts study={study} />
      {results.map((job) => (
        <ResultPanel key={job.job_id} study={study} listed={job} />
      ))}
      {results.length === 0 && (
        <Card>
          <Text c="dimmed">{t("study.noResult")}</Text>
        </Card>
      )}
      <SeriesTable study={study} />
    </Stack>
  );
}

/** Give the jobs whose results are shown: the newest of each series and model that was not replaced, or is withdrawn. */
export function shownJobs(study: StudyDetail): Job[] {
  const withResults = study.series
    .flatMap((series) => series.jobs)
    .filter((job) => job.model !== null && job.superseded_by === null)
    .filter(
      (job) => job.valid || job.state === "WITHDRAWN" || job.state === "REVIEWING" || job.state === "WITHDRAWING",
    );
  const newest = new Map(withResults.map((job) => [`${job.series_uid} ${job.model?.id ?? ""}`, job]));
  return [...new Map([...newest.values()].map((job) => [job.job_id, job])).values()];
}

function StudyFacts({ study }: { readonly study: StudyDetail }) {
  const { t, i18n } = useTranslation();
  return (
    <Card component="section" aria-label={t("fact.details")}>
      <Facts
        facts={[
          [t("studies.patientId"), study.patient_id],
          [t("studies.accession"), study.accession_number],
          [t("studies.date"), dicomDate(study.study_date)],
          [t("studies.description"), study.study_description],
          [t("studies.sender"), study.calling_ae],
          [t("studies.received"), moment(study.last_received_at, i18n.language)],
          [t("studies.status"), study.receiving ? <State name="receiving" /> : null],
          [
            "Study Instance UID",
            <span key="uid" className="uid">
              {study.study_uid}
            </span>,
          ],
        ]}
      />
    </Card>
  );
}

function SeriesTable({ study }: { readonly study: StudyDetail }) {
  const { t } = useTranslation();
  return (
    <Section title={t("study.seriesTitle")}>
      <Records
        caption={t("study.seriesTitle")}
        rows={study.series}
        rowKey={(series) => series.series_uid}
        empty={t("fact.nothing")}
        columns={[
          {
            heading: t("studies.series"),
            bare: true,
            cell: (series) => (
              <>
                <Group gap={6}>
                  <Badge variant="default" radius="sm">
                    {series.modality}
                  </Badge>
                  <Text fw={600} size="sm">
                    {series.series_description}
                  </Text>
                </Group>
                <Text className="uid" size="xs" c="dimmed">
                  {series.series_uid}
                </Text>
              </>
            ),
          },
          { heading: t("fact.state"), cell: (series) => <State name={decisionOf(series)} /> },
          { heading: t("fact.reason"), cell: (series) => (series.reason ? <Reason {...series.reason} /> : null) },
          { heading: t("studies.instances"), numeric: true, cell: (series) => <Instances series={series} /> },
          { heading: t("study.evidence"), cell: (series) => series.evidence && t(`evidence.${series.evidence}`) },
          { heading: t("nav.jobs"), cell: (series) => <SeriesJobs series={series} /> },
        ]}
      />
    </Section>
  );
}

function decisionOf(series: Series): "receiving" | "undecided" | "analysed" | "rejected" {
  return series.receiving ? "receiving" : (series.decision ?? "undecided");
}

function Instances({ series }: { readonly series: Series }) {
  const { t } = useTranslation();
  const { instance_count: count, expected_count: expected } = series;
  return <>{expected === null ? count : t("study.expected", { count, expected })}</>;
}

function SeriesJobs({ series }: { readonly series: Series }) {
  return (
    <Stack gap={4}>
      {series.jobs.map((job) => (
        <Group key={job.job_id} gap={6}>
          <State name={job.state} />
          <Anchor component={Link} to={`/jobs/${job.job_id}`} size="sm">
            {job.model ? `${job.model.id} ${job.model.version}` : job.job_id.slice(0, 8)}
          </Anchor>
        </Group>
      ))}
    </Stack>
  );
}
