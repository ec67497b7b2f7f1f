import { Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { components } from "../api/schema";
import { Records } from "../parts/Records";

/** What came of an import: counts, and each line that was not taken with its reasons. */
export function ImportReport({ report }: { readonly report: components["schemas"]["ImportReport"] }) {
  const { t } = useTranslation();
  return (
    <Stack>
      <Text>{t("master.imported", report)}</Text>
      {report.rejections.length > 0 && (
        <Records
          caption={t("master.importFaults")}
          rows={report.rejections}
          rowKey={(one) => String(one.line)}
          columns={[
            { heading: t("master.line"), numeric: true, cell: (one) => one.line },
            { heading: t("fact.reason"), cell: (one) => one.reasons.join(" ") },
          ]}
        />
      )}
    </Stack>
  );
}
