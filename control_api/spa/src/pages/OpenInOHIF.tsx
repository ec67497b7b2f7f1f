import { Button } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";

import { isAbsent, problemOf } from "../api/problem";
import type { Job, StudyDetail } from "../api/shapes";
import { useProblemText } from "../parts/Fault";
import { sayRefused } from "../parts/notify";
import { useNode, useQueries } from "../session/context";

interface Properties {
  readonly study: StudyDetail;
  /** The job whose segmentation is shown first. */
  readonly job: Job | undefined;
}

/** Opens the study in OHIF, in a tab of its own, at the segmentation where there is one. */
export function OpenInOHIF({ study, job }: Properties) {
  const { t } = useTranslation();
  const { api } = useNode();
  const text = useProblemText();
  const segmentation = useSegmentation(job);
  const open = async () => {
    const tab = window.open("", "_blank"); // before anything is waited for, or the browser takes it for a pop-up
    const order = { studies: [study.study_uid], ...(segmentation && { series: segmentation }) };
    const { data, error } = await api.client.POST("/api/viewer/session", { body: order });
    if (!data && !isAbsent(problemOf(error))) {
      tab?.close();
      sayRefused(t("problem.title"), text(error));
      return;
    }
    const address = data?.url ?? plainAddress(study.study_uid, segmentation);
    if (tab) tab.location.replace(address);
    else window.location.assign(address);
  };
  return (
    <Button leftSection={<IconExternalLink size={18} aria-hidden />} onClick={() => void open()}>
      {t("study.ohif")}
    </Button>
  );
}

function useSegmentation(job: Job | undefined): string | null {
  const answer = useQueries().useQuery(
    "get",
    "/api/jobs/{job_id}",
    { params: { path: { job_id: job?.job_id ?? "" } } },
    { enabled: job !== undefined },
  );
  return answer.data?.artifacts.find((one) => one.kind === "SEG")?.series_instance_uid ?? null;
}

/** Give the address of OHIF at a node that needs no session for it. */
export function plainAddress(studyUid: string, seriesUid: string | null): string {
  const first = seriesUid ? `&initialSeriesInstanceUID=${encodeURIComponent(seriesUid)}` : "";
  return `/pacs-viewer/viewer?StudyInstanceUIDs=${encodeURIComponent(studyUid)}${first}`;
}
