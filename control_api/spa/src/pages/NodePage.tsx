import { BarChart, LineChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import { Grid, Group, Progress, SimpleGrid, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import type { NodeStatus } from "../api/shapes";
import { NodeParts } from "../node/NodeParts";
import { StageTimes } from "../node/StageTimes";
import { Throughput } from "../node/Throughput";
import { Peers } from "../node/Peers";
import { Workers } from "../node/Workers";
import { bytes, clock, percent } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Records } from "../parts/Records";
import { Section } from "../parts/Section";
import { State, type StateName } from "../parts/State";
import { useQueries } from "../session/context";

const POLL_MS = 3000;

/** The node at a glance: what waits, what works, how long it takes and where room is. */
export default function NodePage() {
  const { t } = useTranslation();
  const answer = useQueries().useQuery("get", "/api/node/status", {}, { refetchInterval: POLL_MS });
  const samples = useSamples(answer.data);
  return (
    <Page title={t("node.title")}>
      <Loaded answer={answer}>
        {(status) => (
          <Stack>
            <Overview status={status} />
            <Grid>
              <Grid.Col span={{ base: 12, md: 6 }}>
                <JobsByState status={status} />
              </Grid.Col>
              <Grid.Col span={{ base: 12, md: 6 }}>
                <Queues status={status} samples={samples} />
              </Grid.Col>
            </Grid>
            <Throughput />
            <StageTimes />
            <Workers />
            <Peers />
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function Overview({ status }: { readonly status: NodeStatus }) {
  const { t, i18n } = useTranslation();
  const used = 1 - status.disk.free_bytes / Math.max(1, status.disk.total_bytes);
  const diskText = t("node.diskFree", {
    free: bytes(status.disk.free_bytes, i18n.language),
    total: bytes(status.disk.total_bytes, i18n.language),
  });
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, md: 4 }}>
      <Section title={status.ae_title}>
        <Text size="sm">{t("node.version", { version: status.version })}</Text>
        <Text size="sm" c="dimmed">
          {t("app.updated", { time: clock(status.now, i18n.language) })}
        </Text>
      </Section>
      <Section title={t("node.disk")}>
        <Progress
          value={used * 100}
          color={used > 0.9 ? "red.8" : "ink"}
          aria-label={`${t("node.disk")}: ${percent(used, i18n.language)}`}
          mb={6}
        />
        <Text size="sm">{diskText}</Text>
      </Section>
      <Section title={t("node.activeModels")}>
        {status.models.map((model) => (
          <Text key={`${model.id} ${model.version}`} size="sm">
            {model.id} {model.version}
          </Text>
        ))}
        {status.models.length === 0 && <Text size="sm">{t("fact.none")}</Text>}
        <Text size="sm" c="dimmed">
          {t("node.receiving")}: {status.receiving_series}
        </Text>
      </Section>
      <NodeParts />
    </SimpleGrid>
  );
}

function JobsByState({ status }: { readonly status: NodeStatus }) {
  const { t } = useTranslation();
  const rows = Object.entries(status.jobs).map(([state, count]) => ({
    state: state as StateName,
    name: t(`state.${state as StateName}`),
    count,
    shadow: status.shadow_jobs[state] ?? 0,
  }));
  return (
    <Section title={t("node.jobsByState")}>
      <div aria-hidden>
        <BarChart
          h={220}
          data={rows.filter((row) => row.count > 0)}
          dataKey="name"
          series={[{ name: "count", label: t("nav.jobs"), color: "ink.6" }]}
          barProps={{ isAnimationActive: false, maxBarSize: 48 }}
          barChartProps={{ accessibilityLayer: false }}
          yAxisProps={{ allowDecimals: false, width: 40 }}
        />
      </div>
      <details>
        <summary>{t("node.asTable")}</summary>
        <Records
          caption={t("node.jobsByState")}
          rows={rows}
          rowKey={(row) => row.state}
          columns={[
            { heading: t("fact.state"), cell: (row) => <State name={row.state} /> },
            { heading: t("nav.jobs"), numeric: true, cell: (row) => row.count },
            { heading: t("node.shadowJobs"), numeric: true, cell: (row) => row.shadow },
          ]}
        />
      </details>
    </Section>
  );
}

type Sample = Readonly<Record<string, number | string>>;
const MOST_SAMPLES = 200;

/** Keep how many messages waited since this page was opened. */
function useSamples(status: NodeStatus | undefined): readonly Sample[] {
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  useEffect(() => {
    if (!status) return;
    const known = Object.entries(status.queues).flatMap(([name, depth]) =>
      depth === null ? [] : [[name, depth] as const],
    );
    // eslint-disable-next-line react-hooks/set-state-in-effect -- a history of what was answered
    setSamples((before) => [...before, { now: status.now, ...Object.fromEntries(known) }].slice(-MOST_SAMPLES));
  }, [status]);
  return samples;
}

function Queues({ status, samples }: { readonly status: NodeStatus; readonly samples: readonly Sample[] }) {
  const { t, i18n } = useTranslation();
  const names = Object.keys(status.queues);
  const shown = samples.map((sample) => ({ ...sample, time: clock(String(sample.now), i18n.language) }));
  return (
    <Section
      title={t("node.queues")}
      aside={
        <Text size="xs" c="dimmed">
          {t("node.history")}
        </Text>
      }
    >
      <Group gap="xl" mb="xs">
        {names.map((name) => (
          <div key={name}>
            <Text size="sm" c="dimmed">
              {name}
            </Text>
            <Text fw={650} size="xl">
              {status.queues[name] ?? t("fact.unknown")}
            </Text>
          </div>
        ))}
      </Group>
      <div aria-hidden>
        <LineChart
          h={150}
          data={shown}
          dataKey="time"
          withDots={false}
          curveType="stepAfter"
          series={names.map((name, at) => ({ name, color: at % 2 ? "teal.7" : "ink.6" }))}
          lineProps={{ isAnimationActive: false }}
          lineChartProps={{ accessibilityLayer: false }}
          yAxisProps={{ allowDecimals: false, width: 40 }}
        />
      </div>
    </Section>
  );
}
