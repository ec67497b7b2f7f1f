import { Alert, Card, Group, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { ModelCard } from "../api/shapes";
import { ModelActions } from "../models/ModelActions";
import { Upload } from "../models/Upload";
import { Facts } from "../parts/Facts";
import { quantity } from "../parts/format";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { State } from "../parts/State";
import { useMay, useQueries } from "../session/context";

/** Every version of every model, what it is for, and what this node does with it. */
export default function ModelsPage() {
  const { t } = useTranslation();
  const administers = useMay("administer");
  const answer = useQueries().useQuery("get", "/api/models", {}, { refetchInterval: 5000 });
  return (
    <Page title={t("models.title")} actions={administers && <Upload />}>
      <Loaded answer={answer}>
        {({ models, broken }) => (
          <Stack>
            {broken.length > 0 && (
              <Alert className="fault" title={t("models.broken")}>
                {broken.map((one) => (
                  <Text key={one.package} size="sm">
                    <code>{one.package}</code>: {one.reason}
                  </Text>
                ))}
              </Alert>
            )}
            {models.map((card) => (
              <OneModel key={`${card.id} ${card.version}`} card={card} />
            ))}
            {models.length === 0 && <p>{t("fact.nothing")}</p>}
            {!administers && (
              <Text size="sm" c="dimmed">
                {t("models.adminsOnly")}
              </Text>
            )}
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function OneModel({ card }: { readonly card: ModelCard }) {
  const { t, i18n } = useTranslation();
  const [low, high] = card.total_ml;
  const id = `model-${card.id}-${card.version}`;
  return (
    <Card component="section" aria-labelledby={id}>
      <Group justify="space-between" mb="xs">
        <Group gap="sm">
          <Title order={2} id={id}>
            {card.title}
          </Title>
          <Text c="dimmed" size="sm">
            {card.id} {card.version}
          </Text>
        </Group>
        <State name={card.deployment} />
      </Group>
      <Text size="sm" mb="sm" maw={800}>
        {card.intended_use}
      </Text>
      <Facts
        facts={[
          [t("models.task"), t(`task.${card.task}`)],
          [t("models.manufacturer"), card.manufacturer],
          [t("models.licence"), card.licence],
          [t("models.inputs"), <Inputs key="inputs" card={card} />],
          [
            t("models.plausible"),
            low !== undefined && high !== undefined && high > 0
              ? `${quantity(low, i18n.language)}–${quantity(high, i18n.language)} mL`
              : null,
          ],
          [
            t("models.digest"),
            <span key="digest" className="uid">
              {card.digest.slice(0, 16)}…
            </span>,
          ],
        ]}
      />
      <Labels card={card} />
      <ModelActions card={card} />
    </Card>
  );
}

function Inputs({ card }: { readonly card: ModelCard }) {
  const { t } = useTranslation();
  return (
    <>
      {card.channels.map((channel) => (
        <Text key={channel.name} size="sm">
          {[channel.modality, channel.sequence, channel.plane, t("models.minSlices", { count: channel.min_slices })]
            .filter(Boolean)
            .join(", ")}
          {!channel.required && ` (${t("models.optional")})`}
        </Text>
      ))}
    </>
  );
}

function Labels({ card }: { readonly card: ModelCard }) {
  const { t } = useTranslation();
  if (card.labels.length === 0) return null;
  return (
    <details className="labels">
      <summary>
        {t("models.labels")}: {t("models.labelCount", { count: card.labels.length })}
      </summary>
      <ul>
        {card.labels.map((label) => (
          <li key={label.value}>
            <svg className="swatch" viewBox="0 0 10 10" aria-hidden>
              <rect width="10" height="10" fill={`rgb(${label.colour_rgb.join(" ")})`} />
            </svg>
            {label.name}{" "}
            <Text span size="xs" c="dimmed">
              {label.type.scheme} {label.type.value}
            </Text>
          </li>
        ))}
      </ul>
    </details>
  );
}
