import { BarChart } from "@mantine/charts";
import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { Offered } from "../parts/Offered";
import { Records } from "../parts/Records";
import { useQueries } from "../session/context";

const HOURS = 24;

/** How much went through, hour by hour. */
export function Throughput() {
  const { t, i18n } = useTranslation();
  const answer = useQueries().useQuery(
    "get",
    "/api/node/throughput",
    { params: { query: { hours: HOURS } } },
    { refetchInterval: 30_000 },
  );
  const hour = (at: string) => new Date(at).toLocaleTimeString(i18n.language, { hour: "2-digit", minute: "2-digit" });
  return (
    <Offered
      title={t("node.throughput")}
      answer={answer}
      aside={
        <Text size="xs" c="dimmed">
          {t("node.throughputHint")}
        </Text>
      }
    >
      {({ hours }) => (
        <>
          <div aria-hidden>
            <BarChart
              h={200}
              data={hours.map((one) => ({ ...one, hour: hour(one.at) }))}
              dataKey="hour"
              type="stacked"
              withLegend
              series={[
                { name: "completed", label: t("state.COMPLETED"), color: "teal.7" },
                { name: "rejected", label: t("state.REJECTED"), color: "gray.6" },
                { name: "failed", label: t("state.FAILED"), color: "red.7" },
              ]}
              barProps={{ isAnimationActive: false }}
              barChartProps={{ accessibilityLayer: false }}
              yAxisProps={{ allowDecimals: false, width: 40 }}
            />
          </div>
          <details>
            <summary>{t("node.asTable")}</summary>
            <Records
              caption={t("node.throughput")}
              rows={hours}
              rowKey={(one) => one.at}
              columns={[
                { heading: t("fact.when"), cell: (one) => hour(one.at) },
                { heading: t("nav.studies"), numeric: true, cell: (one) => one.studies },
                { heading: t("studies.series"), numeric: true, cell: (one) => one.series },
                { heading: t("state.COMPLETED"), numeric: true, cell: (one) => one.completed },
                { heading: t("state.REJECTED"), numeric: true, cell: (one) => one.rejected },
                { heading: t("state.FAILED"), numeric: true, cell: (one) => one.failed },
              ]}
            />
          </details>
        </>
      )}
    </Offered>
  );
}
