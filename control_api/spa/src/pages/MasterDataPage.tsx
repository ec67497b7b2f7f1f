import { Switch, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";

import { usePages } from "../api/paging";
import { EntryEditor } from "../master/EntryEditor";
import { EntryFiles } from "../master/EntryFiles";
import { LISTS, rangeTexts, type Entry, type ListName } from "../master/lists";
import { Loaded } from "../parts/Loaded";
import { More } from "../parts/More";
import { Page } from "../parts/Page";
import { Parts } from "../parts/Parts";
import { Records, type Column } from "../parts/Records";
import { Section } from "../parts/Section";
import { State } from "../parts/State";
import { useNode, usePerson } from "../session/context";
import { NotFoundPage } from "./NotFoundPage";

/** What orders and results are coded with: medications, diagnoses and laboratory tests. */
export default function MasterDataPage() {
  const { t } = useTranslation();
  const { list = "" } = useParams();
  if (!(list in LISTS)) return <NotFoundPage />;
  const name = list as ListName;
  const ways = (Object.keys(LISTS) as ListName[]).map((one) => [`/master-data/${one}`, t(`master.${one}`)] as const);
  return (
    <Page title={t("master.title")}>
      <Parts label={t("master.title")} parts={ways} />
      <EntryList key={name} name={name} />
    </Page>
  );
}

function EntryList({ name }: { readonly name: ListName }) {
  const { t } = useTranslation();
  const [words, setWords] = useState("");
  const [all, setAll] = useState(false);
  const list = useEntries(name, words, all);
  const columns = useColumns(name);
  return (
    <Section title={t(`master.${name}`)} aside={<EntryFiles name={name} />}>
      <TextInput
        type="search"
        label={t("action.search")}
        mb="xs"
        maw={420}
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
      />
      <Switch
        label={t("master.showInactive")}
        mb="sm"
        checked={all}
        onChange={(event) => setAll(event.currentTarget.checked)}
      />
      <Loaded answer={list.answer}>
        {() => (
          <Records
            caption={t(`master.${name}`)}
            rows={list.items}
            rowKey={(entry) => entry.code}
            empty={words ? t("fact.noMatch") : t("fact.nothing")}
            columns={columns}
          />
        )}
      </Loaded>
      <More list={list} />
    </Section>
  );
}

function useEntries(name: ListName, words: string, all: boolean) {
  const { api } = useNode();
  const [q] = useDebouncedValue(words.trim(), 250);
  const query = { limit: 50, ...(q && { q }), ...(!all && { active: true }) };
  const ask = async (after?: string) => {
    const answer = await api.client.GET(LISTS[name].path, {
      params: { query: { ...query, ...(after && { after }) } },
    });
    return answer as { data?: { items: Entry[]; next: string | null }; error?: unknown };
  };
  return usePages<Entry>(["master-data", name, query], ask);
}

function useColumns(name: ListName): Column<Entry>[] {
  const { t, i18n } = useTranslation();
  const role = usePerson()?.role;
  const writes = role !== undefined && LISTS[name].writers.includes(role);
  const korean = i18n.language === "ko";
  const sexes = { any: "", male: t("sex.male"), female: t("sex.female") };
  const names: Column<Entry> = {
    heading: t("fact.name"),
    bare: true,
    cell: (entry) => (
      <>
        <Text fw={600}>{korean ? entry.name_ko || entry.name_en : entry.name_en}</Text>
        <Text size="xs" c="dimmed">
          {korean ? entry.name_en : entry.name_ko}
        </Text>
      </>
    ),
  };
  return [
    names,
    { heading: t("master.code"), cell: (entry) => <span className="uid">{entry.code}</span> },
    ...LISTS[name].fields.map((field) => ({ heading: t(`field.${field}`), cell: (entry: Entry) => entry[field] })),
    ...(name === "tests"
      ? [{ heading: t("master.range"), cell: (entry: Entry) => <Ranges lines={rangeTexts(entry, sexes)} /> }]
      : []),
    { heading: t("fact.state"), cell: (entry) => <State name={entry.active ? "active" : "inactive"} /> },
    ...(writes
      ? [{ heading: t("fact.actions"), cell: (entry: Entry) => <EntryEditor name={name} entry={entry} /> }]
      : []),
  ];
}

function Ranges({ lines }: { readonly lines: readonly string[] }) {
  return lines.map((line) => (
    <Text key={line} size="sm">
      {line}
    </Text>
  ));
}
