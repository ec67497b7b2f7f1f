import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";

import { problemOf } from "../api/problem";
import { CANCELLABLE, RETRYABLE, UNDER_WAY, type JobDetail } from "../api/shapes";
import { Deliveries } from "../job/Deliveries";
import { Rerun } from "../job/Rerun";
import { JobLog } from "../job/JobLog";
import { Timeline } from "../job/Timeline";
import { Facts } from "../parts/Facts";
import { moment } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { useOutcome } from "../parts/orders";
import { Page } from "../parts/Page";
import { Reason } from "../parts/Reason";
import { Records } from "../parts/Records";
import { Section } from "../parts/Section";
import { State } from "../parts/State";
import { useJob } from "../result/ResultPanel";
import { ReviewPanel } from "../result/ReviewPanel";
import { useMay, useQueries } from "../session/context";

/** One job: how far it is, where the time went, where its results are. */
export default function JobPage() {
  const { t } = useTranslation();
  const { jobId = "" } = useParams();
  const answer = useJob(jobId);
  const model = answer.data?.model;
  const title = model ? `${t("jobs.one")}: ${model.id} ${model.version}` : t("jobs.one");
  const absent = answer.error && problemOf(answer.error).code === "job.not_found";
  return (
    <Page title={title} actions={answer.data && <Actions job={answer.data} />}>
      {absent ? <p>{t("jobs.notFound")}</p> : <Loaded answer={answer}>{(job) => <Content job={job} />}</Loaded>}
    </Page>
  );
}

function Actions({ job }: { readonly job: JobDetail }) {
  const { t } = useTranslation();
  const queries = useQueries();
  const operates = useMay("operate");
  const retry = queries.useMutation("post", "/api/jobs/{job_id}/retry", useOutcome(t("jobs.retried")));
  const cancel = queries.useMutation("post", "/api/jobs/{job_id}/cancel", useOutcome(t("jobs.cancelled")));
  const params = { path: { job_id: job.job_id } };
  if (!operates) return null;
  return (
    <>
      {!UNDER_WAY.has(job.state) && job.model && <Rerun job={job} />}
      {RETRYABLE.has(job.state) && (
        <Button loading={retry.isPending} onClick={() => retry.mutate({ params })}>
          {t("jobs.retry")}
        </Button>
      )}
      {CANCELLABLE.has(job.state) && (
        <Button variant="default" loading={cancel.isPending} onClick={() => cancel.mutate({ params })}>
          {t("jobs.cancel")}
        </Button>
      )}
    </>
  );
}

function Content({ job }: { readonly job: JobDetail }) {
  const { t, i18n } = useTranslation();
  return (
    <Stack gap="md">
      <Section title={t("fact.details")}>
        <Facts
          facts={[
            [t("fact.state"), <State key="state" name={job.state} />],
            [t("fact.reason"), job.error && <Reason {...job.error} />],
            [
              t("jobs.study"),
              <Anchor key="study" component={Link} to={`/studies/${job.study_uid}`} className="uid">
                {job.study_uid}
              </Anchor>,
            ],
            [t("jobs.attempt"), job.attempt],
            [t("jobs.run"), job.run],
            [t("jobs.created"), moment(job.created_at, i18n.language)],
            [t("jobs.updatedAt"), moment(job.updated_at, i18n.language)],
            [t("result.report"), job.report],
            [
              "ID",
              <span key="id" className="uid">
                {job.job_id}
              </span>,
            ],
          ]}
        />
        {job.shadow && <Text size="sm">{t("jobs.shadowOnly")}</Text>}
        {job.superseded_by && (
          <Text size="sm">
            {t("result.superseded")}{" "}
            <Anchor component={Link} to={`/jobs/${job.superseded_by}`}>
              {job.superseded_by.slice(0, 12)}
            </Anchor>
          </Text>
        )}
      </Section>
      <Section title={t("jobs.timeline")}>
        <Timeline job={job} />
      </Section>
      <Section title={t("jobs.deliveries")}>
        <Deliveries job={job} />
      </Section>
      <Objects job={job} />
      <Section title={t("jobs.logs")}>
        <JobLog job={job} />
      </Section>
      <Section title={t("review.title")}>
        <ReviewPanel job={job} />
      </Section>
    </Stack>
  );
}

function Objects({ job }: { readonly job: JobDetail }) {
  const { t } = useTranslation();
  if (job.artifacts.length === 0) return null;
  return (
    <Section title={t("result.objects")}>
      <Records
        caption={t("result.objects")}
        rows={job.artifacts}
        rowKey={(one, at) => one.sop_instance_uid ?? String(at)}
        columns={[
          { heading: t("node.kind"), cell: (one) => <Group>{one.kind}</Group> },
          { heading: "SOP Instance UID", cell: (one) => <span className="uid">{one.sop_instance_uid}</span> },
          { heading: "Series Instance UID", cell: (one) => <span className="uid">{one.series_instance_uid}</span> },
        ]}
      />
    </Section>
  );
}
