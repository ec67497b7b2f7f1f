import { Button, FileButton } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { useOutcome } from "../parts/orders";
import { useNode } from "../session/context";

/** Takes a model package: an archive of its folder. An inference worker then looks it over. */
export function Upload() {
  const { t } = useTranslation();
  const upload = useUpload();
  const take = (file: File | null) => {
    if (file) upload.mutate(file);
  };
  return (
    <FileButton
      accept=".zip,.tar,.tar.gz,.tgz,.tar.xz,.tar.bz2"
      onChange={take}
      inputProps={{ "aria-label": t("models.uploadFile") }}
    >
      {(properties) => (
        <Button
          leftSection={<IconUpload size={18} aria-hidden />}
          loading={upload.isPending}
          title={t("models.uploadHint")}
          {...properties}
        >
          {t("models.upload")}
        </Button>
      )}
    </FileButton>
  );
}

function useUpload() {
  const { t } = useTranslation();
  const { api } = useNode();
  return useMutation({
    mutationFn: async (file: File) => {
      const headers = { "Content-Type": mediaType(file.name) };
      const address = `${window.location.origin}/api/models`;
      const answer = await api.fetch(new Request(address, { method: "POST", headers, body: file }));
      if (!answer.ok) throw await answer.json();
    },
    ...useOutcome(t("models.uploaded")),
  });
}

/** Give the media type of an archive by its name; browsers disagree about it. */
export function mediaType(name: string): string {
  if (/\.zip$/i.test(name)) return "application/zip";
  if (/\.tar$/i.test(name)) return "application/x-tar";
  if (/\.(tgz|tar\.gz)$/i.test(name)) return "application/gzip";
  if (/\.tar\.xz$/i.test(name)) return "application/x-xz";
  return "application/octet-stream";
}
