import { Select, SimpleGrid, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { usePages } from "../api/paging";
import type { components } from "../api/schema";
import { moment } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { More } from "../parts/More";
import { Records } from "../parts/Records";
import { Section } from "../parts/Section";
import { useNode } from "../session/context";

type AuditEvent = components["schemas"]["AuditEvent"];
type Outcome = AuditEvent["outcome"];
const OUTCOMES = ["done", "refused", "failed"] as const satisfies readonly Outcome[];

/** Who did what, newest first. */
export function AuditTrail() {
  const { t, i18n } = useTranslation();
  const [actor, setActor] = useState("");
  const [action, setAction] = useState("");
  const [outcome, setOutcome] = useState<string | null>(null);
  const [words] = useDebouncedValue({ actor, action }, 250);
  const list = useAudit({ ...words, outcome });
  return (
    <Section title={t("admin.audit")}>
      <SimpleGrid cols={{ base: 1, sm: 3 }} mb="sm">
        <TextInput label={t("fact.who")} value={actor} onChange={(event) => setActor(event.currentTarget.value)} />
        <TextInput
          label={t("admin.action")}
          value={action}
          onChange={(event) => setAction(event.currentTarget.value)}
        />
        <Select
          label={t("admin.outcome")}
          placeholder={t("fact.all")}
          clearable
          clearButtonProps={{ "aria-label": t("action.clear") }}
          data={OUTCOMES.map((one) => ({ value: one, label: t(`outcome.${one}`) }))}
          value={outcome}
          onChange={setOutcome}
        />
      </SimpleGrid>
      <Loaded answer={list.answer}>
        {() => (
          <Records
            caption={t("admin.audit")}
            rows={list.items}
            rowKey={(event, at) => `${event.request_id} ${String(at)}`}
            empty={t("fact.noMatch")}
            columns={[
              { heading: t("fact.when"), cell: (event) => moment(event.at, i18n.language) },
              {
                heading: t("fact.who"),
                cell: (event) => (
                  <>
                    {event.actor || t("fact.unknown")}
                    <Text size="xs" c="dimmed">
                      {event.role}
                    </Text>
                  </>
                ),
              },
              { heading: t("admin.action"), cell: (event) => <span className="uid">{event.action}</span> },
              { heading: t("admin.target"), cell: (event) => <span className="uid">{event.object}</span> },
              { heading: t("admin.outcome"), cell: (event) => `${t(`outcome.${event.outcome}`)} (${event.status})` },
              { heading: t("admin.address"), cell: (event) => event.client },
            ]}
          />
        )}
      </Loaded>
      <More list={list} />
    </Section>
  );
}

interface Wanted {
  readonly actor: string;
  readonly action: string;
  readonly outcome: string | null;
}

function useAudit(wanted: Wanted) {
  const { api } = useNode();
  const query = {
    limit: 50,
    ...(wanted.actor && { actor: wanted.actor }),
    ...(wanted.action && { action: wanted.action }),
    ...(wanted.outcome && { outcome: wanted.outcome as Outcome }),
  };
  const ask = (after?: string) =>
    api.client.GET("/api/audit", { params: { query: { ...query, ...(after && { after }) } } });
  return usePages<AuditEvent>(["audit", query], ask, 15_000);
}
