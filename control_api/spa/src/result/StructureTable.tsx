import { Text, UnstyledButton } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { JobDetail, Measurement } from "../api/shapes";
import { quantity } from "../parts/format";
import { useColoursOf } from "./colours";
import { FetchPrior } from "./FetchPrior";
import { Change, usePrior } from "./prior";

interface Properties {
  readonly job: JobDetail;
  readonly chosen: string | null;
  readonly choose: (trackingUid: string | null) => void;
}

/** The structures with their volumes: numbers to read, bars to compare, and what changed since the study before. */
export function StructureTable({ job, chosen, choose }: Properties) {
  const { t, i18n } = useTranslation();
  const colours = useColoursOf(job.model);
  const prior = usePrior(job);
  const rows = job.measurements;
  if (rows.length === 0) return null;
  const largest = largestByUnit(rows);
  return (
    <div className="structures-frame">
      <table className="structures">
        <caption className="visually-hidden">{t("result.structures")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("result.structure")}</th>
            <th scope="col" className="number">
              {t("result.value")}
            </th>
            <th scope="col" className="number">
              {prior.date
                ? t("result.changeSince", { date: prior.date.replaceAll("-", "\u2011") })
                : t("result.change")}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => {
            const colour = colours.get(row.label) ?? colours.get(row.code) ?? "var(--mantine-color-dimmed)";
            const uid = row.tracking_uid;
            const picked = uid !== null && uid === chosen;
            return (
              <tr key={`${row.label} ${row.quantity} ${String(at)}`} data-chosen={picked || undefined}>
                <th scope="row">
                  <UnstyledButton
                    className="structure"
                    aria-pressed={picked}
                    disabled={uid === null}
                    onClick={() => choose(picked ? null : uid)}
                  >
                    <svg className="swatch" viewBox="0 0 10 10" aria-hidden>
                      <rect width="10" height="10" rx="2" fill={uid === null ? "none" : colour} />
                    </svg>
                    <span>
                      {uid === null ? `${t("result.total")}: ${row.label}` : row.label}
                      {row.quantity !== "Volume" && (
                        <Text span size="xs" c="dimmed">
                          {" "}
                          {row.quantity}
                        </Text>
                      )}
                    </span>
                  </UnstyledButton>
                  {uid !== null && <Bar part={row.value / (largest.get(row.unit) ?? row.value)} colour={colour} />}
                </th>
                <td className="number">
                  {quantity(row.value, i18n.language)} {row.unit}
                  <Usual row={row} />
                </td>
                <td className="number">
                  <Change change={prior.changeOf(row)} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {prior.absent && (
        <>
          <Text size="xs" c="dimmed" mt={4}>
            {t("result.noPrior")}
          </Text>
          <FetchPrior studyUid={job.study_uid} />
        </>
      )}
    </div>
  );
}

/** Give the largest of the parts by unit, by which bars are scaled; totals are not parts. */
export function largestByUnit(rows: readonly Measurement[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const row of rows) {
    if (row.tracking_uid !== null) found.set(row.unit, Math.max(found.get(row.unit) ?? 0, row.value));
  }
  return found;
}

function Bar({ part, colour }: { readonly part: number; readonly colour: string }) {
  const width = Math.min(100, Math.max(0.8, part * 100));
  return (
    <svg className="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden>
      <rect className="bar-ground" width="100" height="4" />
      <rect width={width} height="4" fill={colour} />
    </svg>
  );
}

function Usual({ row }: { readonly row: Measurement }) {
  const { t, i18n } = useTranslation();
  const [low, high] = row.usual ?? [];
  if (low === undefined || high === undefined) return null;
  const outside = row.value < low || row.value > high;
  return (
    <Text size="xs" c={outside ? "var(--mantine-color-error)" : "dimmed"} fw={outside ? 600 : 400}>
      {quantity(low, i18n.language)}–{quantity(high, i18n.language)}
      {outside && <span className="visually-hidden"> {t("result.outside")}</span>}
    </Text>
  );
}
