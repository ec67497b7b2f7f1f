import { Button, Group } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

interface Properties {
  readonly list: {
    readonly more: (() => void) | undefined;
    readonly answer: { readonly isFetchingNextPage: boolean };
  };
  readonly children?: ReactNode;
}

/** The end of a list: how to see more of it. */
export function More({ list, children }: Properties) {
  const { t } = useTranslation();
  if (!list.more && !children) return null;
  return (
    <Group justify="space-between" p="xs">
      <span>{children}</span>
      {list.more && (
        <Button variant="default" size="xs" onClick={list.more} loading={list.answer.isFetchingNextPage}>
          {t("action.more")}
        </Button>
      )}
    </Group>
  );
}
