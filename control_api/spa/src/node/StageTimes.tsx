import { BarChart } from "@mantine/charts";
import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { components } from "../api/schema";
import { en } from "../i18n/en";
import { seconds } from "../parts/format";
import { Offered } from "../parts/Offered";
import { Records } from "../parts/Records";
import { useQueries } from "../session/context";

type Statistics = components["schemas"]["StageStatistics"];

const LINE = Object.keys(en.stage);

/** Put stages in the order in which a job goes through them. */
export function inOrder(stages: readonly Statistics[]): Statistics[] {
  return [...stages].sort((one, other) => LINE.indexOf(one.stage) - LINE.indexOf(other.stage));
}

/** How long each stage takes: the usual time, and the one that only few exceed. */
export function StageTimes() {
  const { t, i18n } = useTranslation();
  const answer = useQueries().useQuery(
    "get",
    "/api/node/stages",
    { params: { query: { hours: 24 } } },
    { refetchInterval: 30_000 },
  );
  const name = (one: Statistics) =>
    one.stage in en.stage ? t(`stage.${one.stage as keyof typeof en.stage}`) : one.stage;
  return (
    <Offered
      title={t("node.stages")}
      answer={answer}
      aside={
        <Text size="xs" c="dimmed">
          {t("node.stagesHint")}
        </Text>
      }
    >
      {({ stages }) => (
        <>
          <div aria-hidden>
            <BarChart
              h={240}
              data={inOrder(stages).map((one) => ({ ...one, name: name(one) }))}
              dataKey="name"
              withLegend
              series={[
                { name: "p50", label: t("node.p50"), color: "ink.4" },
                { name: "p95", label: t("node.p95"), color: "ink.7" },
              ]}
              barProps={{ isAnimationActive: false, maxBarSize: 32 }}
              barChartProps={{ accessibilityLayer: false }}
              yAxisProps={{ width: 40 }}
            />
          </div>
          <details>
            <summary>{t("node.asTable")}</summary>
            <Records
              caption={t("node.stages")}
              rows={inOrder(stages)}
              rowKey={(one) => `${one.model.id} ${one.model.version} ${one.stage}`}
              empty={t("fact.nothing")}
              columns={[
                { heading: t("jobs.stage"), cell: name },
                { heading: t("fact.model"), cell: (one) => `${one.model.id} ${one.model.version}` },
                { heading: t("nav.jobs"), numeric: true, cell: (one) => one.count },
                { heading: t("node.p50"), numeric: true, cell: (one) => seconds(one.p50, i18n.language) },
                { heading: t("node.p95"), numeric: true, cell: (one) => seconds(one.p95, i18n.language) },
              ]}
            />
          </details>
        </>
      )}
    </Offered>
  );
}
