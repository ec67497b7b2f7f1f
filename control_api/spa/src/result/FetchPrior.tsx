import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { useOutcome } from "../parts/orders";
import { useMay, useQueries } from "../session/context";

/** Has the archive send the study before, where the node has not seen it. */
export function FetchPrior({ studyUid }: { readonly studyUid: string }) {
  const { t } = useTranslation();
  const operates = useMay("operate");
  const fetchIt = useQueries().useMutation(
    "post",
    "/api/studies/{study_uid}/prior",
    useOutcome(t("result.priorAsked")),
  );
  if (!operates) return null;
  return (
    <Button
      size="xs"
      variant="default"
      mt={4}
      loading={fetchIt.isPending}
      onClick={() => fetchIt.mutate({ params: { path: { study_uid: studyUid } } })}
    >
      {t("result.fetchPrior")}
    </Button>
  );
}
