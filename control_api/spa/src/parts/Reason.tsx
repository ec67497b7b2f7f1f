import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { reasonText } from "../i18n/reasons";

/** Say why something was not analysed or failed: in the reader's language, with the node's own words and the code. */
export function Reason({ code, message }: { readonly code: string; readonly message: string }) {
  const { i18n } = useTranslation();
  const text = reasonText(code, message, i18n.language);
  return (
    <>
      <Text span size="sm">
        {text}
      </Text>
      <Text span size="xs" c="dimmed" display="block">
        {message && message !== text ? `${message} · ` : ""}
        <code>{code}</code>
      </Text>
    </>
  );
}
