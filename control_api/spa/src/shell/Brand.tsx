import { useTranslation } from "react-i18next";
import { Link } from "react-router";

/** The node's name, which leads home. */
export function Brand() {
  const { t } = useTranslation();
  return (
    <Link to="/" className="brand">
      <img src="/static/favicon.svg" alt="" width={28} height={28} />
      <span>{t("app.name")}</span>
    </Link>
  );
}
