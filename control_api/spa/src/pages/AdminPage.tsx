import { useTranslation } from "react-i18next";
import { useParams } from "react-router";

import { AuditTrail } from "../admin/AuditTrail";
import { NodeSettings } from "../admin/NodeSettings";
import { ServiceAccounts } from "../admin/ServiceAccounts";
import { Users } from "../admin/Users";
import { Page } from "../parts/Page";
import { Parts } from "../parts/Parts";
import { useMay } from "../session/context";
import { NotFoundPage } from "./NotFoundPage";

const PARTS = {
  users: Users,
  "service-accounts": ServiceAccounts,
  audit: AuditTrail,
  settings: NodeSettings,
} as const;

/** What only administrators see: who may do what, and who did what. */
export default function AdminPage() {
  const { t } = useTranslation();
  const administers = useMay("administer");
  const { part = "" } = useParams();
  if (!administers) return <Page title={t("nav.administration")}>{t("problem.forbidden")}</Page>;
  if (!(part in PARTS)) return <NotFoundPage />;
  const Part = PARTS[part as keyof typeof PARTS];
  const ways = [
    ["/admin/users", t("nav.users")],
    ["/admin/service-accounts", t("nav.serviceAccounts")],
    ["/admin/audit", t("nav.audit")],
    ["/admin/settings", t("nav.settings")],
  ] as const;
  return (
    <Page title={t("nav.administration")}>
      <Parts label={t("nav.administration")} parts={ways} />
      <Part />
    </Page>
  );
}
