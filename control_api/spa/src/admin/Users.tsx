import { Button, Group, Modal, PasswordInput, Select, Stack, Text, TextInput } from "@mantine/core";
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
import { usePerson, useQueries } from "../session/context";

type User = components["schemas"]["User"];
type UserRole = User["role"];
const ROLES = ["admin", "radiologist", "doctor", "nurse", "technician"] as const satisfies readonly UserRole[];
const SHORTEST_PASSWORD = 12;

/** People who may log in. */
export function Users() {
  const { t, i18n } = useTranslation();
  const answer = useQueries().useQuery("get", "/api/users");
  return (
    <Section title={t("admin.users")} aside={<AddUser />}>
      <Loaded answer={answer}>
        {({ items }) => (
          <Records
            caption={t("admin.users")}
            rows={items}
            rowKey={(user) => user.username}
            empty={t("fact.nothing")}
            columns={[
              { heading: t("admin.username"), bare: true, cell: (user) => <Text fw={600}>{user.username}</Text> },
              { heading: t("admin.role"), cell: (user) => <RoleSelect user={user} /> },
              { heading: t("fact.state"), cell: (user) => <Standing user={user} /> },
              { heading: t("admin.created"), cell: (user) => moment(user.created_at, i18n.language) },
              { heading: t("fact.actions"), cell: (user) => <UserActions user={user} /> },
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}

function Standing({ user }: { readonly user: User }) {
  const { t } = useTranslation();
  return (
    <Group gap={6}>
      <State name={user.active ? "active" : "inactive"} />
      {user.locked_until && <Text size="sm">{t("admin.locked")}</Text>}
    </Group>
  );
}

function useChange() {
  const { t } = useTranslation();
  return useQueries().useMutation("patch", "/api/users/{username}", useOutcome(t("admin.saved")));
}

function RoleSelect({ user }: { readonly user: User }) {
  const { t } = useTranslation();
  const change = useChange();
  const mine = usePerson()?.username === user.username;
  const params = { path: { username: user.username } };
  return (
    <Select
      size="xs"
      w={170}
      aria-label={`${t("admin.role")}: ${user.username}`}
      data={ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }))}
      value={user.role}
      allowDeselect={false}
      disabled={mine || change.isPending}
      onChange={(role) =>
        change.mutate({ params, body: { role: role as UserRole } as components["schemas"]["UserChange"] })
      }
    />
  );
}

function UserActions({ user }: { readonly user: User }) {
  const { t } = useTranslation();
  const change = useChange();
  const unlock = useQueries().useMutation("post", "/api/users/{username}/unlock", useOutcome(t("admin.saved")));
  const mine = usePerson()?.username === user.username;
  const params = { path: { username: user.username } };
  const switchTo = (active: boolean) =>
    change.mutate({ params, body: { active } as components["schemas"]["UserChange"] });
  return (
    <Group gap={6}>
      {user.locked_until && (
        <Button size="xs" variant="default" onClick={() => unlock.mutate({ params })}>
          {t("admin.unlock")}
        </Button>
      )}
      <NewPassword user={user} />
      {!mine && user.active && (
        <Ask
          action={t("admin.deactivate")}
          title={t("admin.confirmDeactivate", { name: user.username })}
          danger
          order={() => switchTo(false)}
        />
      )}
      {!user.active && (
        <Button size="xs" variant="default" onClick={() => switchTo(true)}>
          {t("admin.activate")}
        </Button>
      )}
    </Group>
  );
}

function NewPassword({ user }: { readonly user: User }) {
  const { t } = useTranslation();
  const [password, setPassword] = useState("");
  const reset = useQueries().useMutation("post", "/api/users/{username}/password", useOutcome(t("admin.saved")));
  const order = () => {
    reset.mutate({ params: { path: { username: user.username } }, body: { password } });
    setPassword("");
  };
  return (
    <Ask
      action={t("admin.resetPassword")}
      title={`${t("admin.resetPassword")}: ${user.username}`}
      disabled={password.length < SHORTEST_PASSWORD}
      order={order}
    >
      <PasswordField value={password} onChange={setPassword} />
    </Ask>
  );
}

interface FieldProperties {
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function PasswordField({ value, onChange }: FieldProperties) {
  const { t } = useTranslation();
  return (
    <PasswordInput
      label={t("admin.password")}
      description={t("admin.passwordHint", { count: SHORTEST_PASSWORD })}
      autoComplete="new-password"
      required
      minLength={SHORTEST_PASSWORD}
      maxLength={1024}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function AddUser() {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button size="xs" onClick={open}>
        {t("admin.addUser")}
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={t("admin.addUser")}
        closeButtonProps={{ "aria-label": t("action.close") }}
      >
        <AddUserForm done={close} />
      </Modal>
    </>
  );
}

function AddUserForm({ done }: { readonly done: () => void }) {
  const { t } = useTranslation();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<UserRole>("doctor");
  const create = useQueries().useMutation("post", "/api/users", useOutcome(t("admin.saved"), done));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate({ body: { username, password, role } });
      }}
    >
      <Stack>
        <TextInput
          label={t("admin.username")}
          required
          maxLength={64}
          autoComplete="off"
          data-autofocus
          value={username}
          onChange={(event) => setUsername(event.currentTarget.value)}
        />
        <Select
          label={t("admin.role")}
          data={ROLES.map((one) => ({ value: one, label: t(`role.${one}`) }))}
          value={role}
          allowDeselect={false}
          onChange={(value) => setRole(value as UserRole)}
        />
        <PasswordField value={password} onChange={setPassword} />
        <Button type="submit" loading={create.isPending}>
          {t("action.create")}
        </Button>
      </Stack>
    </form>
  );
}
