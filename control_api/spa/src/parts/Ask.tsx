import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

interface Properties {
  readonly action: string;
  readonly title: string;
  readonly text?: string;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  readonly children?: ReactNode;
  readonly order: () => void;
}

/** A button that asks before it does what cannot be undone easily. */
export function Ask({ action, title, text, danger = false, disabled = false, children, order }: Properties) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button size="xs" variant="default" onClick={open}>
        {action}
      </Button>
      <Modal opened={opened} onClose={close} title={title} closeButtonProps={{ "aria-label": t("action.close") }}>
        <Stack>
          {text && <Text size="sm">{text}</Text>}
          {children}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t("action.cancel")}
            </Button>
            <Button
              color={danger ? "red.9" : "ink"}
              disabled={disabled}
              onClick={() => {
                order();
                close();
              }}
            >
              {action}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
