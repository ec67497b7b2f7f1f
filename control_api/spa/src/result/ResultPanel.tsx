import { Alert, Anchor, Grid, Group, List, Stack, Text } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { UNDER_WAY, type Job, type JobDetail, type StudyDetail } from "../api/shapes";
import { moment } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { Section } from "../parts/Section";
import { State } from "../parts/State";
import { useQueries } from "../session/context";
import { Preview } from "../viewer/Preview";
import { Findings } from "./Findings";
import { ReviewPanel } from "./ReviewPanel";
import { StructureTable } from "./StructureTable";

interface Properties {
  readonly study: StudyDetail;
  readonly listed: Job;
}

/** What a model said about a series: the slices, the numbers, and what readers said of it. */
export function ResultPanel({ study, listed }: Properties) {
  const { t } = useTranslation();
  const answer = useJob(listed.job_id);
  const model = listed.model ? `${listed.model.id} ${listed.model.version}` : "";
  return (
    <Section
      title={`${t("study.result")}: ${model}`}
      aside={
        <Group gap="sm">
          <State name={answer.data?.state ?? listed.state} />
          <Anchor component={Link} to={`/jobs/${listed.job_id}`} size="sm">
            {t("result.toJob")}
          </Anchor>
        </Group>
      }
    >
      <Loaded answer={answer}>{(job) => <Result study={study} job={job} />}</Loaded>
    </Section>
  );
}

/** Ask for a job, often while something happens to it and seldom when nothing does. */
export function useJob(jobId: string) {
  return useQueries().useQuery(
    "get",
    "/api/jobs/{job_id}",
    { params: { path: { job_id: jobId } } },
    { refetchInterval: ({ state }) => (state.data && !UNDER_WAY.has(state.data.state) ? 10_000 : 2000) },
  );
}

function Result({ study, job }: { readonly study: StudyDetail; readonly job: JobDetail }) {
  const [chosen, choose] = useState<string | null>(null);
  return (
    <Stack gap="md">
      <Standing job={job} />
      <Grid gutter="md">
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Preview study={study} job={job} chosen={chosen} />
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Stack gap="md">
            <Findings job={job} />
            <StructureTable job={job} chosen={chosen} choose={choose} />
            <Remarks job={job} />
          </Stack>
        </Grid.Col>
      </Grid>
      <ReviewPanel job={job} />
    </Stack>
  );
}

function Standing({ job }: { readonly job: JobDetail }) {
  const { t, i18n } = useTranslation();
  if (job.withdrawn) {
    return (
      <Alert className="fault" role="status" icon={<IconInfoCircle aria-hidden />}>
        {t("result.withdrawn", { reason: job.withdrawn.reason })} {moment(job.withdrawn.at, i18n.language)}
      </Alert>
    );
  }
  return job.superseded_by ? <Alert className="remark">{t("result.superseded")}</Alert> : null;
}

function Remarks({ job }: { readonly job: JobDetail }) {
  const { t } = useTranslation();
  if (job.absent.length === 0 && job.warnings.length === 0) return null;
  return (
    <Alert className="remark" icon={<IconInfoCircle aria-hidden />} title={t("result.warnings")}>
      {job.warnings.length > 0 && (
        <List size="sm">
          {job.warnings.map((warning) => (
            <List.Item key={warning}>{warning}</List.Item>
          ))}
        </List>
      )}
      {job.absent.length > 0 && (
        <Text size="sm">
          {t("result.absent")}: {job.absent.join(", ")}
        </Text>
      )}
    </Alert>
  );
}
