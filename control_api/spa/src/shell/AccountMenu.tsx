import { Button, Menu } from "@mantine/core";
import { IconBook, IconKey, IconLogout, IconUser } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { useNode, usePerson } from "../session/context";

/** Who is there, and what they may do about it. */
export function AccountMenu() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const person = usePerson();
  const logOut = useLogOut();
  if (!person) return null;
  return (
    <Menu position="bottom-end" width={230} withinPortal>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          c="inherit"
          size="compact-sm"
          leftSection={<IconUser size={18} aria-hidden />}
          aria-label={`${t("app.account")}: ${person.username}`}
        >
          <span className="account-name">{person.username}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label c="dimmed">
          {person.username} · {t(`role.${person.role}`)}
        </Menu.Label>
        <Menu.Item leftSection={<IconKey size={16} aria-hidden />} onClick={() => void navigate("/account")}>
          {t("nav.password")}
        </Menu.Item>
        <Menu.Item component="a" href="/api/docs/" leftSection={<IconBook size={16} aria-hidden />}>
          {t("app.apiDocs")}
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void logOut()}>
          {t("app.logout")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function useLogOut(): () => Promise<void> {
  const { api, session } = useNode();
  const kept = useQueryClient();
  return async () => {
    await api.client.POST("/api/auth/logout").catch(() => undefined);
    session.end();
    kept.clear();
  };
}
