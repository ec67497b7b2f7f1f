import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { problemOf } from "../api/problem";
import type { JobDetail, StudyDetail } from "../api/shapes";
import { Loaded } from "../parts/Loaded";
import { useQueries } from "../session/context";
import { SliceViewer } from "./SliceViewer";

interface Properties {
  readonly study: StudyDetail;
  readonly job: JobDetail;
  /** The structure that alone is drawn, by tracking UID; null for all. */
  readonly chosen: string | null;
}

/** The slices of a series with what was found laid over them. */
export function Preview({ study, job, chosen }: Properties) {
  const { t } = useTranslation();
  const path = { study_uid: study.study_uid, series_uid: job.series_uid };
  const answer = useQueries().useQuery(
    "get",
    "/api/studies/{study_uid}/series/{series_uid}/preview",
    { params: { path, query: { job_id: job.job_id } } },
    { staleTime: 30_000 },
  );
  if (answer.error && problemOf(answer.error).status === 404) return <Text c="dimmed">{t("viewer.absent")}</Text>;
  const base = `/api/studies/${path.study_uid}/series/${path.series_uid}/preview`;
  return (
    <Loaded answer={answer}>
      {(facts) => <SliceViewer key={facts.job_id} base={base} facts={facts} chosen={chosen} />}
    </Loaded>
  );
}
