import { Alert, Button } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

/** Catches what breaks in a page, so that the way around stays. */
export class Broken extends Component<{ readonly children: ReactNode }, { readonly broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    return this.state.broken ? <Excuse /> : this.props.children;
  }
}

function Excuse() {
  const { t } = useTranslation();
  return (
    <Alert role="alert" title={t("problem.title")}>
      <p>{t("app.broken")}</p>
      <Button variant="default" onClick={() => window.location.reload()}>
        {t("app.reload")}
      </Button>
    </Alert>
  );
}
