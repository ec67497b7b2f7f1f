import { Alert, Button, Group, Text, Textarea } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { components } from "../api/schema";
import type { ModelCard } from "../api/shapes";
import { Ask } from "../parts/Ask";
import { moment } from "../parts/format";
import { useOutcome } from "../parts/orders";
import { State } from "../parts/State";
import { useMay, useQueries } from "../session/context";

type Verification = components["schemas"]["Verification"];

/** Whether a version proved itself on this node, and what administrators decide about it. */
export function ModelActions({ card }: { readonly card: ModelCard }) {
  const administers = useMay("administer");
  const proof = card.verification;
  return (
    <>
      {proof && <Proof proof={proof} />}
      {administers && <Decisions card={card} proof={proof} />}
    </>
  );
}

function Proof({ proof }: { readonly proof: Verification }) {
  const { t, i18n } = useTranslation();
  const state = { requested: "pending", running: "verifying", passed: "verified", failed: "failed" } as const;
  return (
    <Group gap="xs" mt="sm" role="status">
      <Text size="sm">{t("models.proof")}</Text>
      <State name={state[proof.state]} />
      <Text size="sm" c="dimmed">
        {[moment(proof.finished_at, i18n.language), proof.provider].filter(Boolean).join(" · ")}
      </Text>
      {proof.faults.length > 0 && (
        <Alert className="fault" w="100%">
          {proof.faults.map((fault) => (
            <Text key={`${fault.part} ${fault.message}`} size="sm">
              <code>{fault.part}</code>: {fault.message}
            </Text>
          ))}
        </Alert>
      )}
    </Group>
  );
}

interface Properties {
  readonly card: ModelCard;
  readonly proof: Verification | null;
}

function useDecision(done: string) {
  const queries = useQueries();
  const outcome = useOutcome(done);
  const base = "/api/models/{model_id}/{version}";
  return {
    verify: queries.useMutation("post", `${base}/verify`, outcome),
    activate: queries.useMutation("post", `${base}/activate`, outcome),
    shadow: queries.useMutation("post", `${base}/shadow`, outcome),
    deactivate: queries.useMutation("post", `${base}/deactivate`, outcome),
    recall: queries.useMutation("post", `${base}/recall`, outcome),
    remove: queries.useMutation("delete", base, outcome),
  };
}

function Decisions({ card, proof }: Properties) {
  const { t } = useTranslation();
  const name = `${card.id} ${card.version}`;
  const order = useDecision(t("models.decided", { model: name }));
  const params = { path: { model_id: card.id, version: card.version } };
  if (card.deployment === "recalled") return null;
  const looking = proof?.state === "requested" || proof?.state === "running";
  const proved = proof?.state === "passed" && proof.counts;
  return (
    <Group gap="xs" mt="sm">
      <Button size="xs" variant="default" loading={looking} onClick={() => order.verify.mutate({ params })}>
        {t("models.verify")}
      </Button>
      {card.deployment !== "active" && (
        <Button size="xs" disabled={!proved} onClick={() => order.activate.mutate({ params })}>
          {t("models.activate")}
        </Button>
      )}
      {card.deployment === "inactive" && (
        <Button size="xs" variant="default" disabled={!proved} onClick={() => order.shadow.mutate({ params })}>
          {t("models.shadow")}
        </Button>
      )}
      {card.deployment !== "inactive" && (
        <Ask
          action={t("models.deactivate")}
          title={`${t("models.deactivate")}: ${name}`}
          order={() => order.deactivate.mutate({ params })}
        />
      )}
      <Recall name={name} order={(reason) => order.recall.mutate({ params, body: { reason } })} />
      {card.deployment === "inactive" && (
        <Ask
          action={t("models.remove")}
          title={`${t("models.remove")}: ${name}`}
          danger
          order={() => order.remove.mutate({ params })}
        />
      )}
    </Group>
  );
}

function Recall({ name, order }: { readonly name: string; readonly order: (reason: string) => void }) {
  const { t } = useTranslation();
  const [reason, setReason] = useState("");
  return (
    <Ask
      action={t("models.recall")}
      title={t("models.recallTitle", { model: name })}
      text={t("models.recallWarning")}
      danger
      disabled={reason.trim() === ""}
      order={() => order(reason.trim())}
    >
      <Textarea
        label={t("models.recallReason")}
        required
        data-autofocus
        maxLength={500}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </Ask>
  );
}
