import { Alert, Button, Code, CopyButton, Group, Modal, MultiSelect, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { components } from "../api/schema";
import { Ask } from "../parts/Ask";
import { moment } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { useOutcome } from "../parts/orders";
import { Records } from "../parts/Records";
import { Section } from "../parts/Section";
import { State } from "../parts/State";
import { useQueries } from "../session/context";

type ServiceAccount = components["schemas"]["ServiceAccount"];

/** Programs that use the API, what they may do, and their keys. */
export function ServiceAccounts() {
  const { t } = useTranslation();
  const answer = useQueries().useQuery("get", "/api/service-accounts");
  return (
    <Loaded answer={answer}>
      {({ items, known_scopes: scopes }) => (
        <Stack>
          <Group justify="flex-end">
            <AddAccount scopes={scopes} />
          </Group>
          {items.map((account) => (
            <OneAccount key={account.name} account={account} />
          ))}
          {items.length === 0 && <p>{t("fact.nothing")}</p>}
        </Stack>
      )}
    </Loaded>
  );
}

function OneAccount({ account }: { readonly account: ServiceAccount }) {
  const { t } = useTranslation();
  const change = useQueries().useMutation("patch", "/api/service-accounts/{name}", useOutcome(t("admin.saved")));
  const switchTo = (active: boolean) => {
    const body = { active } as components["schemas"]["ServiceAccountChange"];
    change.mutate({ params: { path: { name: account.name } }, body });
  };
  return (
    <Section title={account.name} aside={<State name={account.active ? "active" : "inactive"} />}>
      <Text size="sm">{account.description}</Text>
      <Text size="sm" mb="sm">
        {t("admin.scopes")}: {account.scopes.join(", ")}
      </Text>
      <Keys account={account} />
      <Group mt="sm" gap="xs">
        <NewKey account={account} />
        {account.active ? (
          <Ask
            action={t("admin.deactivate")}
            title={t("admin.confirmDeactivate", { name: account.name })}
            danger
            order={() => switchTo(false)}
          />
        ) : (
          <Button size="xs" variant="default" onClick={() => switchTo(true)}>
            {t("admin.activate")}
          </Button>
        )}
      </Group>
    </Section>
  );
}

function Keys({ account }: { readonly account: ServiceAccount }) {
  const { t, i18n } = useTranslation();
  const queries = useQueries();
  const path = { name: account.name };
  const answer = queries.useQuery("get", "/api/service-accounts/{name}/keys", { params: { path } });
  const revoke = queries.useMutation(
    "delete",
    "/api/service-accounts/{name}/keys/{key_id}",
    useOutcome(t("admin.saved")),
  );
  return (
    <Loaded answer={answer}>
      {({ items }) => (
        <Records
          caption={account.name}
          rows={items}
          rowKey={(key) => key.key_id}
          columns={[
            { heading: t("fact.code"), cell: (key) => <Code>{key.prefix}…</Code> },
            { heading: t("admin.created"), cell: (key) => moment(key.created_at, i18n.language) },
            { heading: t("admin.expires"), cell: (key) => moment(key.expires_at, i18n.language) || t("admin.never") },
            {
              heading: t("admin.lastUsed"),
              cell: (key) => moment(key.last_used_at, i18n.language) || t("admin.never"),
            },
            {
              heading: t("fact.actions"),
              cell: (key) =>
                key.revoked_at ? (
                  <State name="recalled" />
                ) : (
                  <Ask
                    action={t("admin.revoke")}
                    title={`${t("admin.revoke")}: ${key.prefix}…`}
                    danger
                    order={() => revoke.mutate({ params: { path: { ...path, key_id: key.key_id } } })}
                  />
                ),
            },
          ]}
        />
      )}
    </Loaded>
  );
}

/** Makes a key and shows it this once. */
function NewKey({ account }: { readonly account: ServiceAccount }) {
  const { t } = useTranslation();
  const issue = useQueries().useMutation("post", "/api/service-accounts/{name}/keys", useOutcome(t("admin.saved")));
  const key = issue.data?.key;
  return (
    <>
      <Button
        size="xs"
        variant="default"
        loading={issue.isPending}
        onClick={() => issue.mutate({ params: { path: { name: account.name } }, body: { days: 365 } })}
      >
        {t("admin.rotate")}
      </Button>
      <Modal
        opened={key !== undefined}
        onClose={issue.reset}
        title={t("admin.keyTitle")}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <Stack>
          <Alert className="remark">{t("admin.keyHint")}</Alert>
          <Code block>{key}</Code>
          <CopyButton value={key ?? ""}>
            {({ copied, copy }) => <Button onClick={copy}>{copied ? t("action.copied") : t("action.copy")}</Button>}
          </CopyButton>
        </Stack>
      </Modal>
    </>
  );
}

function AddAccount({ scopes }: { readonly scopes: readonly string[] }) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button size="xs" onClick={open}>
        {t("admin.addService")}
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={t("admin.addService")}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <AddAccountForm scopes={scopes} done={close} />
      </Modal>
    </>
  );
}

function AddAccountForm({ scopes, done }: { readonly scopes: readonly string[]; readonly done: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [wanted, setWanted] = useState<string[]>([]);
  const create = useQueries().useMutation("post", "/api/service-accounts", useOutcome(t("admin.saved"), done));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate({ body: { name, description, scopes: wanted } });
      }}
    >
      <Stack>
        <TextInput
          label={t("fact.name")}
          required
          maxLength={64}
          data-autofocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TextInput
          label={t("studies.description")}
          maxLength={255}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
        />
        <MultiSelect label={t("admin.scopes")} data={scopes} value={wanted} onChange={setWanted} required />
        <Button type="submit" loading={create.isPending} disabled={wanted.length === 0}>
          {t("action.create")}
        </Button>
      </Stack>
    </form>
  );
}
