import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { Loaded } from "../parts/Loaded";
import { Records } from "../parts/Records";
import { Section } from "../parts/Section";
import { useQueries } from "../session/context";

/** With what the node runs; read only, and without secrets. */
export function NodeSettings() {
  const { t } = useTranslation();
  const answer = useQueries().useQuery("get", "/api/settings");
  return (
    <Section title={t("admin.settings")}>
      <Text size="sm" c="dimmed" mb="sm">
        {t("admin.settingsHint")}
      </Text>
      <Loaded answer={answer}>
        {({ settings }) => (
          <Records
            caption={t("admin.settings")}
            rows={settings}
            rowKey={(one) => one.name}
            columns={[
              {
                heading: t("admin.setting"),
                bare: true,
                cell: (one) => (
                  <>
                    <code>{one.variable}</code>
                    <Text size="xs" c="dimmed">
                      {one.description}
                    </Text>
                  </>
                ),
              },
              { heading: t("result.value"), cell: (one) => <span className="uid">{valueText(one.value)}</span> },
              { heading: t("admin.source"), cell: (one) => t(`source.${one.source}`) },
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
