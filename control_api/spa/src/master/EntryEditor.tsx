import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { components } from "../api/schema";
import { useOutcome } from "../parts/orders";
import { useQueries } from "../session/context";
import { LISTS, type Entry, type ListName } from "./lists";

interface Properties {
  readonly name: ListName;
  readonly entry: Entry;
}

/** Names the version that was seen, so that nobody's change is overwritten unseen. */
function seen(entry: Entry) {
  return { "If-Match": `"v${String(entry.version)}"` };
}

/** Changes an entry, or takes it out of use; none is ever deleted. */
export function EntryEditor({ name, entry }: Properties) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  const label = `${t("action.edit")}: ${entry.name_en}`;
  return (
    <Group gap={6}>
      <Button size="xs" variant="default" onClick={open} aria-label={label}>
        {t("action.edit")}
      </Button>
      <SwitchButton name={name} entry={entry} />
      <Modal
        opened={opened}
        onClose={close}
        title={t("master.editTitle", { name: entry.name_en })}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <ChangeForm name={name} entry={entry} done={close} />
      </Modal>
    </Group>
  );
}

function SwitchButton({ name, entry }: Properties) {
  const { t } = useTranslation();
  const way = `${LISTS[name].path}/{code}/${entry.active ? "deactivate" : "activate"}` as const;
  const change = useQueries().useMutation("post", way, useOutcome(t("master.saved")));
  const params = { path: { code: entry.code }, header: seen(entry) };
  const action = t(entry.active ? "master.deactivate" : "master.reactivate");
  return (
    <Button
      size="xs"
      variant="default"
      loading={change.isPending}
      onClick={() => change.mutate({ params })}
      aria-label={`${action}: ${entry.name_en}`}
    >
      {action}
    </Button>
  );
}

function ChangeForm({ name, entry, done }: Properties & { readonly done: () => void }) {
  const { t } = useTranslation();
  const way = `${LISTS[name].path}/{code}` as const;
  const change = useQueries().useMutation("put", way, useOutcome(t("master.saved"), done));
  const save = (body: Body) => change.mutate({ params: { path: { code: entry.code }, header: seen(entry) }, body });
  return <EntryForm name={name} entry={entry} busy={change.isPending} save={save} />;
}

type Body = components["schemas"]["Medication"];

interface FormProperties {
  readonly name: ListName;
  readonly entry?: Entry;
  readonly busy: boolean;
  readonly save: (body: Body) => void;
}

/** Asks for what an entry says; reference ranges stay as they are, for they come by import. */
export function EntryForm({ name, entry, busy, save }: FormProperties) {
  const { t } = useTranslation();
  const fields = LISTS[name].fields;
  const [given, setGiven] = useState<Record<string, string>>(() => ({
    code: entry?.code ?? "",
    name_en: entry?.name_en ?? "",
    name_ko: entry?.name_ko ?? "",
    ...Object.fromEntries(fields.map((field) => [field, entry?.[field] ?? ""])),
  }));
  const input = (field: string, label: string, required = false) => (
    <TextInput
      key={field}
      label={label}
      required={required}
      maxLength={255}
      disabled={field === "code" && entry !== undefined}
      value={given[field] ?? ""}
      onChange={(event) => {
        const { value } = event.currentTarget;
        setGiven((before) => ({ ...before, [field]: value }));
      }}
    />
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const ranges = entry?.reference_ranges && { reference_ranges: entry.reference_ranges };
        save({ ...given, ...ranges } as unknown as Body);
      }}
    >
      <Stack>
        {input("code", t("master.code"), true)}
        {input("name_en", t("master.nameEn"), true)}
        {input("name_ko", t("master.nameKo"))}
        {fields.map((field) => input(field, t(`field.${field}`)))}
        <Button type="submit" loading={busy}>
          {t("action.save")}
        </Button>
      </Stack>
    </form>
  );
}
