import { Button, Group, List, Modal, MultiSelect, Stack, Text, Textarea, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCheck, IconPencil, IconX } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { JobDetail, ReviewOrder } from "../api/shapes";
import { Fault } from "../parts/Fault";
import { moment } from "../parts/format";
import { sayDone } from "../parts/notify";
import { State } from "../parts/State";
import { useMay, useQueries } from "../session/context";

/** What readers said of a result, and where they say it. */
export function ReviewPanel({ job }: { readonly job: JobDetail }) {
  const { t } = useTranslation();
  const reviews = useMay("review");
  return (
    <Stack gap="xs">
      <Title order={3} size="h4">
        {t("review.title")}
      </Title>
      <History job={job} />
      {job.valid &&
        !job.shadow &&
        (reviews ? (
          <Buttons job={job} />
        ) : (
          <Text size="sm" c="dimmed">
            {t("review.notAllowed")}
          </Text>
        ))}
    </Stack>
  );
}

function History({ job }: { readonly job: JobDetail }) {
  const { t, i18n } = useTranslation();
  if (job.reviews.length === 0) return <Text size="sm">{t("review.none")}</Text>;
  return (
    <List size="sm" spacing={4} listStyleType="none" aria-label={t("review.history")}>
      {job.reviews.map((review) => (
        <List.Item key={`${review.at} ${review.verdict}`}>
          <Group gap="xs">
            <State name={review.verdict} />
            <Text span size="sm">
              {review.reviewer}, {moment(review.at, i18n.language)}
            </Text>
            <Text span size="sm">
              {[review.reason, review.conclusion].filter(Boolean).join(" · ")}
            </Text>
          </Group>
        </List.Item>
      ))}
    </List>
  );
}

type Verdict = ReviewOrder["verdict"];
const DONE = { accept: "review.accepted", amend: "review.amended", reject: "review.rejected" } as const;

function useReview(job: JobDetail, done: () => void) {
  const { t } = useTranslation();
  const kept = useQueryClient();
  const review = useQueries().useMutation("post", "/api/jobs/{job_id}/review", {
    onSuccess: (_, { body }) => {
      sayDone(t(DONE[body.verdict]));
      void kept.invalidateQueries();
      done();
    },
  });
  const say = (order: Partial<ReviewOrder> & { verdict: Verdict }) =>
    review.mutate({
      params: { path: { job_id: job.job_id } },
      body: { reason: "", excluded: [], conclusion: "", ...order },
    });
  return { review, say };
}

function Buttons({ job }: { readonly job: JobDetail }) {
  const { t } = useTranslation();
  const [asked, { open, close }] = useDisclosure(false);
  const [verdict, setVerdict] = useState<Exclude<Verdict, "accept">>("amend");
  const { review, say } = useReview(job, close);
  const ask = (next: Exclude<Verdict, "accept">) => {
    setVerdict(next);
    open();
  };
  return (
    <>
      <Group gap="xs">
        <Button
          leftSection={<IconCheck size={18} aria-hidden />}
          loading={review.isPending}
          onClick={() => say({ verdict: "accept" })}
        >
          {t("review.accept")}
        </Button>
        <Button variant="default" leftSection={<IconPencil size={18} aria-hidden />} onClick={() => ask("amend")}>
          {t("review.amend")}
        </Button>
        <Button variant="default" leftSection={<IconX size={18} aria-hidden />} onClick={() => ask("reject")}>
          {t("review.reject")}
        </Button>
      </Group>
      {review.error && !asked ? <Fault thrown={review.error} /> : null}
      <Modal
        opened={asked}
        onClose={close}
        title={t(verdict === "reject" ? "review.confirmReject" : "review.amend")}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <ReasonForm key={verdict} job={job} verdict={verdict} cancel={close} />
      </Modal>
    </>
  );
}

interface FormProperties {
  readonly job: JobDetail;
  readonly verdict: "amend" | "reject";
  readonly cancel: () => void;
}

function ReasonForm({ job, verdict, cancel }: FormProperties) {
  const { t } = useTranslation();
  const { review, say } = useReview(job, cancel);
  const [reason, setReason] = useState("");
  const [conclusion, setConclusion] = useState("");
  const [excluded, setExcluded] = useState<string[]>([]);
  const amends = verdict === "amend";
  const submit = () =>
    say({ verdict, reason: reason.trim(), ...(amends && { excluded, conclusion: conclusion.trim() }) });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack>
        {!amends && <Text size="sm">{t("review.rejectWarning")}</Text>}
        <Textarea
          label={t("review.reason")}
          description={t("review.reasonHint")}
          required
          autosize
          minRows={2}
          maxLength={500}
          data-autofocus
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        {amends && (
          <>
            <MultiSelect
              label={t("review.excluded")}
              data={findingsOf(job)}
              value={excluded}
              onChange={setExcluded}
              searchable
              clearable
            />
            <Textarea
              label={t("review.conclusion")}
              autosize
              minRows={2}
              maxLength={4000}
              value={conclusion}
              onChange={(event) => setConclusion(event.currentTarget.value)}
            />
          </>
        )}
        {review.error ? <Fault thrown={review.error} /> : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={cancel}>
            {t("action.cancel")}
          </Button>
          <Button type="submit" loading={review.isPending} color={amends ? "ink" : "red.9"}>
            {t(amends ? "review.amend" : "review.reject")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Give each finding once, however many numbers were measured of it. */
export function findingsOf(job: JobDetail): { value: string; label: string }[] {
  const measured = job.measurements.map((one) => [one.tracking_uid, one.label] as const);
  const found = (job.result?.findings ?? []).map((one) => [one.tracking_uid, one.label] as const);
  const named = new Map(
    [...measured, ...found].flatMap(([uid, label]) => (uid === null ? [] : [[uid, label] as const])),
  );
  return [...named].map(([value, label]) => ({ value, label }));
}
