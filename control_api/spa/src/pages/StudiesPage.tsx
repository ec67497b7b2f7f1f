import { Anchor, Button, Card, Select, SimpleGrid, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconFilterOff, IconSearch } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";

import { usePages } from "../api/paging";
import type { Study } from "../api/shapes";
import { dicomDate, moment, personName } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { More } from "../parts/More";
import { Page } from "../parts/Page";
import { Reason } from "../parts/Reason";
import { Records } from "../parts/Records";
import { State } from "../parts/State";
import { useNode } from "../session/context";
import { matches, standingOf, type StudyStanding } from "./standing";

const POLL_MS = 4000;
const PAGE = 50;
const STANDINGS = [
  "receiving",
  "QUEUED",
  "PROCESSING",
  "DELIVERING",
  "COMPLETED",
  "FAILED",
  "REJECTED",
  "WITHDRAWN",
] as const;

type Row = Study & StudyStanding;

/** The worklist: what arrived, how far it is, and why not where it was not analysed. */
export function StudiesPage() {
  const { t } = useTranslation();
  const filters = useFilters();
  const list = useStudies(filters.values);
  return (
    <Page title={t("studies.title")}>
      <Filters {...filters} />
      <Card padding="xs">
        <Loaded answer={list.answer}>
          {() => (
            <>
              <Worklist rows={list.rows} filtered={filters.filtered} />
              <More list={list}>
                <Text size="sm" c="dimmed" role="status">
                  {t("studies.shown", { count: list.rows.length })}
                </Text>
              </More>
            </>
          )}
        </Loaded>
      </Card>
    </Page>
  );
}

const NAMES = ["search", "state", "from", "to"] as const;
type Values = Readonly<Record<(typeof NAMES)[number], string>>;

/** Filters live in the address, so that a list can be kept as a bookmark and the way back leads to it. */
function useFilters() {
  const [parameters, setParameters] = useSearchParams();
  const values = Object.fromEntries(NAMES.map((name) => [name, parameters.get(name) ?? ""])) as Values;
  const set = (name: keyof Values, value: string) =>
    setParameters(
      (before) => {
        if (value) before.set(name, value);
        else before.delete(name);
        return before;
      },
      { replace: true },
    );
  return {
    values,
    set,
    clear: () => setParameters({}, { replace: true }),
    filtered: NAMES.some((name) => values[name]),
  };
}

function useStudies(values: Values) {
  const { api } = useNode();
  const [search] = useDebouncedValue(values.search, 150);
  const query = {
    limit: PAGE,
    ...(values.from && { date_from: values.from }),
    ...(values.to && { date_to: values.to }),
  };
  const ask = (after?: string) =>
    api.client.GET("/api/studies", { params: { query: { ...query, ...(after && { after }) } } });
  const list = usePages<Study>(["studies", query], ask, POLL_MS);
  const rows: Row[] = list.items
    .map((study) => ({ ...study, ...standingOf(study) }))
    .filter((row) => matches(row, search) && (!values.state || row.standing === values.state));
  return { ...list, rows };
}

function Filters({ values, set, clear, filtered }: ReturnType<typeof useFilters>) {
  const { t } = useTranslation();
  return (
    <Card component="section" aria-label={t("studies.filters")}>
      <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm">
        <TextInput
          type="search"
          label={t("studies.search")}
          placeholder={t("studies.searchHint")}
          leftSection={<IconSearch size={16} aria-hidden />}
          value={values.search}
          onChange={(event) => set("search", event.currentTarget.value)}
        />
        <Select
          label={t("studies.status")}
          placeholder={t("fact.all")}
          clearable
          clearButtonProps={{ "aria-label": t("action.clear") }}
          data={STANDINGS.map((name) => ({ value: name, label: t(`state.${name}`) }))}
          value={values.state || null}
          onChange={(value) => set("state", value ?? "")}
        />
        <TextInput
          type="date"
          label={t("studies.from")}
          value={values.from}
          max={values.to || undefined}
          onChange={(event) => set("from", event.currentTarget.value)}
        />
        <TextInput
          type="date"
          label={t("studies.to")}
          value={values.to}
          min={values.from || undefined}
          onChange={(event) => set("to", event.currentTarget.value)}
        />
      </SimpleGrid>
      {filtered && (
        <Button
          mt="sm"
          size="xs"
          variant="default"
          leftSection={<IconFilterOff size={16} aria-hidden />}
          onClick={clear}
        >
          {t("action.clear")}
        </Button>
      )}
    </Card>
  );
}

function Worklist({ rows, filtered }: { readonly rows: readonly Row[]; readonly filtered: boolean }) {
  const { t, i18n } = useTranslation();
  const at = i18n.language;
  return (
    <Records
      caption={t("studies.title")}
      rows={rows}
      rowKey={(row) => row.study_uid}
      empty={filtered ? t("fact.noMatch") : t("fact.nothing")}
      columns={[
        { heading: t("studies.patient"), bare: true, cell: (row) => <StudyLink study={row} /> },
        {
          heading: t("studies.description"),
          cell: (row) => (
            <>
              {row.study_description}
              <Text size="xs" c="dimmed">
                {[dicomDate(row.study_date), row.accession_number].filter(Boolean).join(" · ")}
              </Text>
            </>
          ),
        },
        { heading: t("studies.status"), cell: (row) => <Standing row={row} /> },
        { heading: t("studies.why"), cell: (row) => row.why.map((one) => <Reason key={one.code} {...one} />) },
        { heading: t("studies.series"), numeric: true, cell: (row) => row.series_count.toLocaleString(at) },
        { heading: t("studies.instances"), numeric: true, cell: (row) => row.instance_count.toLocaleString(at) },
        {
          heading: t("studies.received"),
          cell: (row) => (
            <>
              <Text size="sm">{moment(row.last_received_at, at)}</Text>
              <Text size="xs" c="dimmed">
                {row.calling_ae}
              </Text>
            </>
          ),
        },
      ]}
    />
  );
}

function Standing({ row }: { readonly row: Row }) {
  const { t } = useTranslation();
  return (
    <>
      <State name={row.standing} />
      {row.missing_count > 0 && (
        <Text size="xs" c="dimmed">
          {t("studies.missing", { count: row.missing_count })}
        </Text>
      )}
    </>
  );
}

function StudyLink({ study }: { readonly study: Study }) {
  const { t, i18n } = useTranslation();
  const name = personName(study.patient_name, i18n.language) || t("studies.unnamed");
  return (
    <>
      <Anchor component={Link} to={`/studies/${study.study_uid}`} fw={600}>
        {name}
      </Anchor>
      <Text size="xs" c="dimmed">
        {study.patient_id}
      </Text>
    </>
  );
}
