import { Button, FileButton, Group, Modal } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import type { components } from "../api/schema";
import { useOutcome } from "../parts/orders";
import { useMay, useNode, usePerson, useQueries } from "../session/context";
import { EntryForm } from "./EntryEditor";
import { ImportReport } from "./ImportReport";
import { LISTS, type ListName } from "./lists";

type Report = components["schemas"]["ImportReport"];

/** New entries: one, or a file of them. */
export function EntryFiles({ name }: { readonly name: ListName }) {
  const role = usePerson()?.role;
  const writes = role !== undefined && LISTS[name].writers.includes(role);
  const administers = useMay("administer");
  return (
    <Group gap="xs">
      {administers && <Import name={name} />}
      {writes && <Add name={name} />}
    </Group>
  );
}

function Add({ name }: { readonly name: ListName }) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  const create = useQueries().useMutation("post", LISTS[name].path, useOutcome(t("master.saved"), close));
  return (
    <>
      <Button size="xs" onClick={open}>
        {t("master.add")}
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={t("master.addTitle", { list: t(`master.${name}`) })}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <EntryForm name={name} busy={create.isPending} save={(body) => create.mutate({ body })} />
      </Modal>
    </>
  );
}

function Import({ name }: { readonly name: ListName }) {
  const { t } = useTranslation();
  const taken = useImport(name);
  const take = (file: File | null) => {
    if (file) taken.mutate(file);
  };
  return (
    <>
      <FileButton
        accept=".csv,.json,text/csv,application/json"
        onChange={take}
        inputProps={{ "aria-label": t("master.import") }}
      >
        {(properties) => (
          <Button size="xs" variant="default" loading={taken.isPending} {...properties}>
            {t("master.import")}
          </Button>
        )}
      </FileButton>
      <Modal
        opened={taken.data !== undefined}
        onClose={taken.reset}
        title={t("master.import")}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        {taken.data && <ImportReport report={taken.data} />}
      </Modal>
    </>
  );
}

function useImport(name: ListName) {
  const { t } = useTranslation();
  const { api } = useNode();
  return useMutation({
    mutationFn: async (file: File): Promise<Report> => {
      const type = file.name.toLowerCase().endsWith(".json") ? "application/json" : "text/csv";
      const address = `${window.location.origin}${LISTS[name].path}/import`;
      const answer = await api.fetch(
        new Request(address, { method: "POST", headers: { "Content-Type": type }, body: file }),
      );
      const document: unknown = await answer.json();
      if (!answer.ok) throw document;
      return document as Report;
    },
    ...useOutcome(t("master.saved")),
  });
}
