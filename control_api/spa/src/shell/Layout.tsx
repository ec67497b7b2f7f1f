import { ActionIcon, AppShell, Burger, Button, Container, Drawer, Group, NavLink, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconLanguage, IconMoon, IconSun } from "@tabler/icons-react";
import { useEffect, useRef, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "react-router";

import { LANGUAGE_KEY } from "../i18n";
import { prefer } from "../preferences";
import { useMay, usePerson } from "../session/context";
import { AccountMenu } from "./AccountMenu";
import { Brand } from "./Brand";
import { useColours } from "./colours";

/** What surrounds every page: the way around, who is there, and how it looks. */
export function Layout({ children }: { readonly children: ReactNode }) {
  const { t } = useTranslation();
  const [opened, drawer] = useDisclosure(false);
  const main = useFocusOnNewPage();
  return (
    <AppShell header={{ height: 56 }} padding={0}>
      <a className="skip-link" href="#main">
        {t("app.skip")}
      </a>
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="lg" wrap="nowrap">
            <Burger opened={opened} onClick={drawer.toggle} hiddenFrom="md" size="sm" aria-label={t("app.menu")} />
            <Brand />
            <Group component="nav" gap={2} visibleFrom="md" wrap="nowrap" aria-label={t("nav.main")}>
              <Places />
            </Group>
          </Group>
          <Group gap={4} wrap="nowrap">
            <LanguageButton />
            <ColourButton />
            <AccountMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <Drawer
        opened={opened}
        onClose={drawer.close}
        size={260}
        title={t("app.menu")}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <Stack component="nav" gap={2} aria-label={t("nav.main")}>
          <Places narrow onGo={drawer.close} />
        </Stack>
      </Drawer>
      <AppShell.Main id="main" ref={main} tabIndex={-1} style={{ outline: "none" }}>
        <Container size="xl" py="md" px={{ base: "sm", sm: "md" }}>
          {children}
        </Container>
        <p className="research">{t("app.research")}</p>
      </AppShell.Main>
    </AppShell>
  );
}

/** A new page begins at its top, and the keyboard with it. */
function useFocusOnNewPage() {
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const before = useRef(pathname);
  useEffect(() => {
    if (before.current === pathname) return;
    before.current = pathname;
    main.current?.focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
  }, [pathname]);
  return main;
}

function usePlaces(): readonly (readonly [address: string, name: string])[] {
  const { t } = useTranslation();
  const administers = useMay("administer");
  const role = usePerson()?.role;
  return [
    ["/", t("nav.studies")],
    ["/jobs", t("nav.jobs")],
    ["/models", t("nav.models")],
    ["/node", t("nav.node")],
    ...(role === "service" ? [] : [["/master-data", t("nav.masterData")] as const]),
    ...(administers ? [["/admin", t("nav.administration")] as const] : []),
  ];
}

function isAt(address: string, pathname: string): boolean {
  if (address === "/") return pathname === "/" || pathname.startsWith("/studies");
  return pathname === address || pathname.startsWith(`${address}/`);
}

function Places({ narrow = false, onGo }: { readonly narrow?: boolean; readonly onGo?: () => void }) {
  const { pathname } = useLocation();
  return usePlaces().map(([address, name]) => {
    const here = isAt(address, pathname);
    const current = here ? ({ "aria-current": "page" } as const) : {};
    return narrow ? (
      <NavLink key={address} component={Link} to={address} label={name} active={here} {...current} onClick={onGo} />
    ) : (
      <Button
        key={address}
        component={Link}
        to={address}
        variant={here ? "light" : "subtle"}
        color={here ? "ink" : "gray"}
        c={here ? undefined : "inherit"}
        size="sm"
        px="sm"
        {...current}
      >
        {name}
      </Button>
    );
  });
}

/** Switches the language; in the language that it switches to. */
export function LanguageButton() {
  const { t, i18n } = useTranslation();
  const next = i18n.language === "ko" ? "en" : "ko";
  const change = () => {
    prefer(LANGUAGE_KEY, next);
    void i18n.changeLanguage(next);
  };
  return (
    <Button
      variant="subtle"
      color="gray"
      c="inherit"
      size="compact-sm"
      onClick={change}
      leftSection={<IconLanguage size={18} aria-hidden />}
      lang={next}
    >
      {t("app.otherLanguage")}
    </Button>
  );
}

/** Switches between dark and light. */
export function ColourButton() {
  const { t } = useTranslation();
  const { dark, toggle } = useColours();
  const name = dark ? t("app.light") : t("app.dark");
  return (
    <ActionIcon variant="subtle" color="gray" c="inherit" size="lg" onClick={toggle} aria-label={name} title={name}>
      {dark ? <IconSun size={20} aria-hidden /> : <IconMoon size={20} aria-hidden />}
    </ActionIcon>
  );
}
