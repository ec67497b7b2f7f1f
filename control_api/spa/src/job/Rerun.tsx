import { Button, Group, Modal, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { JobDetail } from "../api/shapes";
import { ModelSelect } from "../pages/JobsPage";
import { useOutcome } from "../parts/orders";
import { useQueries } from "../session/context";

/** Has the same input analysed again, with the job's own model as it is now or with another. */
export function Rerun({ job }: { readonly job: JobDetail }) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  const [model, setModel] = useState<string | null>(job.model?.id ?? null);
  const rerun = useQueries().useMutation(
    "post",
    "/api/jobs/{job_id}/rerun",
    useOutcome(t("study.analyseDone"), close),
  );
  const order = () => rerun.mutate({ params: { path: { job_id: job.job_id } }, body: { model_id: model } });
  return (
    <>
      <Button variant="default" onClick={open}>
        {t("jobs.rerun")}
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={t("jobs.rerun")}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <Stack>
          <ModelSelect value={model} onChange={setModel} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t("action.cancel")}
            </Button>
            <Button loading={rerun.isPending} onClick={order}>
              {t("jobs.rerun")}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
