import { Anchor, Card, Select, SimpleGrid, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";

import { usePages } from "../api/paging";
import type { Job, JobState } from "../api/shapes";
import { moment } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { More } from "../parts/More";
import { Page } from "../parts/Page";
import { Reason } from "../parts/Reason";
import { Records } from "../parts/Records";
import { State } from "../parts/State";
import { useNode, useQueries } from "../session/context";

const POLL_MS = 4000;
export const JOB_STATES = [
  "RECEIVED", "QUEUED", "PROCESSING", "DELIVERING", "COMPLETED", "FAILED", "REJECTED", "CANCELLED", "REVIEWING",
  "WITHDRAWING", "WITHDRAWN",
] as const satisfies readonly JobState[]; // prettier-ignore

/** Every job, newest first. */
export default function JobsPage() {
  const { t } = useTranslation();
  const [parameters, setParameters] = useSearchParams();
  const set = (name: string, value: string | null) =>
    setParameters((before) => {
      if (value) before.set(name, value);
      else before.delete(name);
      return before;
    });
  const list = useJobs(parameters.get("state") ?? "", parameters.get("model") ?? "");
  return (
    <Page title={t("jobs.title")}>
      <Card component="section" aria-label={t("studies.filters")}>
        <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }}>
          <Select
            label={t("fact.state")}
            placeholder={t("jobs.allStates")}
            clearable
            clearButtonProps={{ "aria-label": t("action.clear") }}
            data={JOB_STATES.map((name) => ({ value: name, label: t(`state.${name}`) }))}
            value={parameters.get("state")}
            onChange={(value) => set("state", value)}
          />
          <ModelSelect value={parameters.get("model")} onChange={(value) => set("model", value)} />
        </SimpleGrid>
      </Card>
      <Card padding="xs">
        <Loaded answer={list.answer}>{() => <JobTable jobs={list.items} />}</Loaded>
        <More list={list} />
      </Card>
    </Page>
  );
}

function useJobs(state: string, model: string) {
  const { api } = useNode();
  const query = { limit: 50, ...(state && { state: state as JobState }), ...(model && { model }) };
  const ask = (after?: string) =>
    api.client.GET("/api/jobs", { params: { query: { ...query, ...(after && { after }) } } });
  return usePages<Job>(["jobs", query], ask, POLL_MS);
}

/** Chooses among the models that the node has. */
export function ModelSelect({
  value,
  onChange,
}: {
  readonly value: string | null;
  readonly onChange: (value: string | null) => void;
}) {
  const { t } = useTranslation();
  const models = useQueries().useQuery("get", "/api/models");
  const ids = [...new Set(models.data?.models.map((card) => card.id) ?? [])];
  return (
    <Select
      label={t("fact.model")}
      placeholder={t("jobs.allModels")}
      clearable
      clearButtonProps={{ "aria-label": t("action.clear") }}
      data={ids}
      value={value}
      onChange={onChange}
    />
  );
}

/** Shows jobs as a table. */
export function JobTable({ jobs }: { readonly jobs: readonly Job[] }) {
  const { t, i18n } = useTranslation();
  return (
    <Records
      caption={t("jobs.title")}
      rows={jobs}
      rowKey={(job) => job.job_id}
      empty={t("fact.nothing")}
      columns={[
        { heading: t("jobs.one"), bare: true, cell: (job) => <JobLink job={job} /> },
        { heading: t("fact.state"), cell: (job) => <State name={job.state} /> },
        { heading: t("fact.reason"), cell: (job) => (job.error ? <Reason {...job.error} /> : job.withdrawn?.reason) },
        {
          heading: t("jobs.study"),
          cell: (job) => (
            <Anchor component={Link} to={`/studies/${job.study_uid}`} className="uid">
              …{job.study_uid.slice(-16)}
            </Anchor>
          ),
        },
        { heading: t("jobs.attempt"), numeric: true, cell: (job) => job.attempt },
        { heading: t("jobs.created"), cell: (job) => moment(job.created_at, i18n.language) },
      ]}
    />
  );
}

function JobLink({ job }: { readonly job: Job }) {
  const { t } = useTranslation();
  return (
    <>
      <Anchor component={Link} to={`/jobs/${job.job_id}`} fw={600}>
        {job.model ? `${job.model.id} ${job.model.version}` : t("jobs.noModel")}
      </Anchor>
      <Text size="xs" c="dimmed" className="uid">
        {job.job_id.slice(0, 12)}
        {job.shadow && ` · ${t("state.shadow")}`}
        {job.superseded_by && ` · ${t("state.superseded")}`}
      </Text>
    </>
  );
}
