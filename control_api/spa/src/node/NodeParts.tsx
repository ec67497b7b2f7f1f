import { Group, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { Section } from "../parts/Section";
import { State } from "../parts/State";
import { useNode } from "../session/context";
import { useQuery } from "@tanstack/react-query";

/** Whether every part that the node needs works; a node that is not ready says which does not. */
export function NodeParts() {
  const { t } = useTranslation();
  const { api } = useNode();
  const answer = useQuery({
    queryKey: ["readiness"],
    refetchInterval: 10_000,
    queryFn: async () => {
      const response = await api.fetch(new Request(`${window.location.origin}/api/health/ready`));
      const found = (await response.json()) as { parts?: { name: string; ready: boolean; detail: string | null }[] };
      return found.parts ?? [];
    },
  });
  return (
    <Section title={t("node.readiness")}>
      {(answer.data ?? []).map((part) => (
        <Group key={part.name} justify="space-between" gap="xs" mb={4} title={part.detail ?? ""}>
          <Text size="sm">{part.name}</Text>
          <State name={part.ready ? "ready" : "notReady"} />
        </Group>
      ))}
    </Section>
  );
}
