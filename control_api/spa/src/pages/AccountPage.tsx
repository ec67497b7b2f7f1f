import { Button, PasswordInput, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { problemOf } from "../api/problem";
import { Fault } from "../parts/Fault";
import { useOutcome } from "../parts/orders";
import { Page } from "../parts/Page";
import { Section } from "../parts/Section";
import { usePerson, useQueries } from "../session/context";

const EMPTY = { old: "", next: "", repeat: "" };

/** One's own account: a new password. */
export default function AccountPage() {
  const { t } = useTranslation();
  const person = usePerson();
  return (
    <Page title={person?.username ?? t("app.account")}>
      {person && <Text>{t(`role.${person.role}`)}</Text>}
      <Section title={t("password.title")}>
        <PasswordForm />
      </Section>
    </Page>
  );
}

function PasswordForm() {
  const { t } = useTranslation();
  const [given, setGiven] = useState(EMPTY);
  const change = useQueries().useMutation("post", "/api/auth/password", {
    ...useOutcome(t("password.changed"), () => setGiven(EMPTY)),
    onError: () => undefined,
  });
  const differs = given.repeat !== "" && given.next !== given.repeat;
  const field = (name: keyof typeof EMPTY, label: string, autoComplete: string, error?: string | false) => (
    <PasswordInput
      label={label}
      autoComplete={autoComplete}
      required
      maxLength={1024}
      error={error}
      value={given[name]}
      onChange={(event) => {
        const { value } = event.currentTarget;
        setGiven((before) => ({ ...before, [name]: value }));
      }}
    />
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!differs) change.mutate({ body: { old_password: given.old, new_password: given.next } });
      }}
    >
      <Stack maw={400}>
        {field("old", t("password.current"), "current-password")}
        {field("next", t("password.next"), "new-password")}
        {field("repeat", t("password.repeat"), "new-password", differs && t("password.differs"))}
        {change.error ? <Refused thrown={change.error} /> : null}
        <Button type="submit" loading={change.isPending}>
          {t("action.save")}
        </Button>
      </Stack>
    </form>
  );
}

function Refused({ thrown }: { readonly thrown: unknown }) {
  const { t } = useTranslation();
  const wrong = problemOf(thrown).code === "auth.invalid_credentials";
  return wrong ? <Text c="var(--mantine-color-error)">{t("login.wrong")}</Text> : <Fault thrown={thrown} />;
}
