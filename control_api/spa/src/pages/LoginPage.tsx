import { Alert, Button, Card, Center, Group, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, useLocation } from "react-router";

import type { components } from "../api/schema";
import { problemOf } from "../api/problem";
import { useProblemText } from "../parts/Fault";
import { useNode, usePerson, useQueries } from "../session/context";
import { ColourButton, LanguageButton } from "../shell/Layout";

/** Where somebody says who they are. */
export function LoginPage() {
  const { t } = useTranslation();
  const person = usePerson();
  const place = useLocation();
  useEffect(() => {
    document.title = `${t("login.title")} · ${t("app.name")}`;
  }, [t]);
  if (person) return <Navigate to={wantedPlace(place.state)} replace />;
  return (
    <Center component="main" mih="100vh" p="md">
      <Stack w="100%" maw={400} gap="sm">
        <Group justify="space-between">
          <Group gap="xs">
            <img src="/static/favicon.svg" alt="" width={32} height={32} />
            <Text fw={700}>{t("app.name")}</Text>
          </Group>
          <Group gap={2}>
            <LanguageButton />
            <ColourButton />
          </Group>
        </Group>
        <Card padding="lg">
          <LoginForm />
        </Card>
        <Text size="xs" c="dimmed" ta="center">
          {t("app.research")}
        </Text>
      </Stack>
    </Center>
  );
}

/** Give the place somebody wanted to be at; only one within the app. */
export function wantedPlace(state: unknown): string {
  const from = (state as { from?: unknown } | null)?.from;
  return typeof from === "string" && /^\/(?![/\\])/.test(from) ? from : "/";
}

function LoginForm() {
  const { t } = useTranslation();
  const login = useLogin();
  const methods = useQueries().useQuery("get", "/api/auth/methods", {}, { retry: false, staleTime: Infinity });
  const submit = (event: SyntheticEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    login.mutate({ username: textOf(given, "username"), password: textOf(given, "password") });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Title order={1}>{t("login.title")}</Title>
        <TextInput
          name="username"
          label={t("login.username")}
          autoComplete="username"
          required
          maxLength={64}
          data-autofocus
        />
        <PasswordInput
          name="password"
          label={t("login.password")}
          autoComplete="current-password"
          required
          maxLength={1024}
        />
        {login.error ? <Refusal thrown={login.error} /> : null}
        <Button type="submit" loading={login.isPending} fullWidth>
          {t("login.submit")}
        </Button>
        {methods.data?.oidc && (
          <Button component="a" href="/api/auth/oidc/login" variant="default" fullWidth>
            {t("login.sso")}
          </Button>
        )}
      </Stack>
    </form>
  );
}

function Refusal({ thrown }: { readonly thrown: unknown }) {
  const { t } = useTranslation();
  const text = useProblemText();
  const wrong = problemOf(thrown).status === 401;
  return (
    <Alert className="fault" role="alert">
      {wrong ? t("login.wrong") : text(thrown)}
    </Alert>
  );
}

function useLogin() {
  const { api, session } = useNode();
  return useMutation({
    mutationFn: async (body: { username: string; password: string }) => {
      let { data, error, response } = await api.client.POST("/api/auth/login", {
        body: { ...body, refresh: "cookie" },
      });
      if (response.status === 422) {
        // A node of an earlier version knows no cookie; it gives the access token only.
        ({ data, error, response } = await api.client.POST("/api/auth/login", {
          body: body as components["schemas"]["Login"],
        }));
      }
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- a problem document is what queries throw too
      if (!data) throw error;
      await session.begin(data);
    },
  });
}

function textOf(given: FormData, name: string): string {
  const value = given.get(name);
  return typeof value === "string" ? value : "";
}
