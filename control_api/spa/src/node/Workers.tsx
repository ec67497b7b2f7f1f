import { Anchor, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import type { components } from "../api/schema";
import { bytes, moment } from "../parts/format";
import { Offered } from "../parts/Offered";
import { Records } from "../parts/Records";
import { State } from "../parts/State";
import { useQueries } from "../session/context";

type Device = components["schemas"]["Device"];

/** The processes that work, and the machines that they work on. */
export function Workers() {
  const { t, i18n } = useTranslation();
  const queries = useQueries();
  const workers = queries.useQuery("get", "/api/node/workers", {}, { refetchInterval: 5000 });
  const devices = queries.useQuery("get", "/api/node/devices", {}, { refetchInterval: 10_000 });
  return (
    <>
      <Offered title={t("node.workers")} answer={workers}>
        {(found) => (
          <Records
            caption={t("node.workers")}
            rows={found.workers}
            rowKey={(worker) => worker.owner}
            empty={t("fact.none")}
            columns={[
              {
                heading: t("fact.name"),
                bare: true,
                cell: (worker) => <Text fw={600}>{worker.kind ?? worker.owner}</Text>,
              },
              { heading: t("fact.state"), cell: (worker) => <State name={worker.alive ? "ready" : "notReady"} /> },
              { heading: t("node.host"), cell: (worker) => worker.host && `${worker.host} · ${worker.pid ?? ""}` },
              {
                heading: t("node.busy"),
                cell: (worker) =>
                  worker.jobs.map((job) => (
                    <Anchor key={job.job_id} component={Link} to={`/jobs/${job.job_id}`} size="sm" display="block">
                      {job.model ? `${job.model.id} ${job.model.version}` : job.job_id.slice(0, 12)}
                    </Anchor>
                  )),
              },
              { heading: t("node.lastSeen"), cell: (worker) => moment(worker.seen_at, i18n.language) },
            ]}
          />
        )}
      </Offered>
      <Offered title={t("node.gpu")} answer={devices}>
        {(found) => found.devices.map((device) => <OneDevice key={device.host} device={device} />)}
      </Offered>
    </>
  );
}

function OneDevice({ device }: { readonly device: Device }) {
  const { t, i18n } = useTranslation();
  const total = device.memory_total_bytes;
  const free = device.memory_available_bytes;
  const memory =
    total !== null && free !== null
      ? t("node.diskFree", { free: bytes(free, i18n.language), total: bytes(total, i18n.language) })
      : "";
  return (
    <>
      <Text size="sm">
        {[device.host, device.provider, memory].filter(Boolean).join(" · ")}
        {device.gpus.length === 0 && ` · ${t("node.noGpu")}`}
      </Text>
      {device.gpus.map((gpu) => (
        <Text key={String(gpu.index)} size="sm">
          {gpu.name} · {gpu.memory_used_mib ?? "?"} / {gpu.memory_total_mib ?? "?"} MiB · {gpu.busy_percent ?? "?"} %
        </Text>
      ))}
    </>
  );
}
