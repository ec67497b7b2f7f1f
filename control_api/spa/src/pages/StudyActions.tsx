import { Button, Group, Modal, Select, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { StudyDetail } from "../api/shapes";
import { Fault } from "../parts/Fault";
import { sayDone } from "../parts/notify";
import { useMay, useQueries } from "../session/context";

/** What operators do about a study: say that it is complete, and have it analysed again. */
export function StudyActions({ study }: { readonly study: StudyDetail }) {
  const operates = useMay("operate");
  if (!operates) return null;
  return study.receiving ? <Complete study={study} /> : <Analyse study={study} />;
}

function Complete({ study }: { readonly study: StudyDetail }) {
  const { t } = useTranslation();
  const kept = useQueryClient();
  const complete = useQueries().useMutation("post", "/api/studies/{study_uid}/complete", {
    onSuccess: () => {
      sayDone(t("study.completeAsked"));
      void kept.invalidateQueries();
    },
  });
  const path = { study_uid: study.study_uid };
  return (
    <Button
      variant="default"
      loading={complete.isPending}
      onClick={() => complete.mutate({ params: { path }, body: { expected: {} } })}
    >
      {t("study.complete")}
    </Button>
  );
}

function Analyse({ study }: { readonly study: StudyDetail }) {
  const { t } = useTranslation();
  const [opened, modal] = useDisclosure(false);
  return (
    <>
      <Button variant="default" onClick={modal.open}>
        {t("study.analyse")}
      </Button>
      <Modal
        opened={opened}
        onClose={modal.close}
        title={t("study.analyseTitle")}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <AnalyseForm study={study} done={modal.close} />
      </Modal>
    </>
  );
}

function AnalyseForm({ study, done }: { readonly study: StudyDetail; readonly done: () => void }) {
  const { t } = useTranslation();
  const kept = useQueryClient();
  const queries = useQueries();
  const [model, setModel] = useState<string | null>(null);
  const models = queries.useQuery("get", "/api/models");
  const run = queries.useMutation("post", "/api/jobs", {
    onSuccess: () => {
      sayDone(t("study.analyseDone"));
      void kept.invalidateQueries();
      done();
    },
  });
  const running =
    models.data?.models.filter((card) => card.deployment === "active" || card.deployment === "shadow") ?? [];
  return (
    <Stack>
      <Select
        label={t("study.analyseModel")}
        placeholder={t("study.analyseAny")}
        clearable
        data={[...new Set(running.map((card) => card.id))]}
        value={model}
        onChange={setModel}
      />
      {run.error ? <Fault thrown={run.error} /> : null}
      <Group justify="flex-end">
        <Button variant="default" onClick={done}>
          {t("action.cancel")}
        </Button>
        <Button
          loading={run.isPending}
          onClick={() => run.mutate({ body: { study_uid: study.study_uid, series_uid: null, model_id: model } })}
        >
          {t("study.analyse")}
        </Button>
      </Group>
    </Stack>
  );
}
