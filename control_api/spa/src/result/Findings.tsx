import { Alert, Group, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { JobDetail } from "../api/shapes";
import { percent, quantity } from "../parts/format";
import { Records } from "../parts/Records";

type Answer = NonNullable<JobDetail["result"]>;
type Finding = Answer["findings"][number];

/** What a model that classifies or detects said. */
export function Findings({ job }: { readonly job: JobDetail }) {
  const { t, i18n } = useTranslation();
  const answer = job.result as Partial<Answer> | null;
  if (!answer) return null;
  const findings = answer.findings ?? [];
  return (
    <>
      {answer.tumor_detected !== undefined && <Tumour answer={answer} />}
      {findings.length > 0 && (
        <Records<Finding>
          caption={t("result.findings")}
          rows={findings}
          rowKey={(one) => one.tracking_uid}
          columns={[
            { heading: t("result.findings"), bare: true, cell: (one) => one.label },
            { heading: t("fact.state"), cell: (one) => t(one.present ? "result.present" : "result.notPresent") },
            {
              heading: t("result.probability"),
              numeric: true,
              cell: (one) => (one.probability === null ? "" : percent(one.probability, i18n.language, 1)),
            },
            { heading: t("result.place"), cell: (one) => placeText(one.location, i18n.language) },
          ]}
        />
      )}
    </>
  );
}

function Tumour({ answer }: { readonly answer: Partial<Answer> }) {
  const { t, i18n } = useTranslation();
  return (
    <Alert className="remark" title={t(answer.tumor_detected ? "result.tumourFound" : "result.tumourNotFound")}>
      <Group gap="md">
        {answer.confidence !== undefined && (
          <Text size="sm">
            {t("result.confidence")}: {percent(answer.confidence, i18n.language, 1)}
          </Text>
        )}
        {answer.volume_ml !== undefined && (
          <Text size="sm">
            {t("result.volume")}: {quantity(answer.volume_ml, i18n.language)} mL
          </Text>
        )}
        <Text size="sm">{placeText(answer.location ?? null, i18n.language)}</Text>
      </Group>
    </Alert>
  );
}

function placeText(place: { x: number; y: number; z: number } | null, language: string): string {
  if (!place) return "";
  return [place.x, place.y, place.z]
    .map((one) => one.toLocaleString(language, { maximumFractionDigits: 1 }))
    .join(", ");
}
