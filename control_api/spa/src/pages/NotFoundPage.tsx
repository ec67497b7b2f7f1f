import { Anchor } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Page } from "../parts/Page";

/** An address that is none. */
export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <Page title={t("app.notFound")}>
      <Anchor component={Link} to="/">
        {t("app.home")}
      </Anchor>
    </Page>
  );
}
