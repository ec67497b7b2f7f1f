import { Button, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { moment, seconds } from "../parts/format";
import { Offered } from "../parts/Offered";
import { useOutcome } from "../parts/orders";
import { Reason } from "../parts/Reason";
import { Records } from "../parts/Records";
import { State } from "../parts/State";
import { useMay, useQueries } from "../session/context";

/** The archives and report servers, and what they answered when they were asked last. */
export function Peers() {
  const { t, i18n } = useTranslation();
  const queries = useQueries();
  const administers = useMay("administer");
  const answer = queries.useQuery("get", "/api/node/peers", {}, { refetchInterval: 10_000 });
  const probe = queries.useMutation("post", "/api/node/peers/probe", useOutcome(t("node.asked")));
  const ask = (
    <Button size="xs" variant="default" loading={probe.isPending} onClick={() => probe.mutate({})}>
      {t("node.check")}
    </Button>
  );
  return (
    <Offered title={t("node.peers")} answer={answer} aside={administers && ask}>
      {({ peers }) => (
        <Records
          caption={t("node.peers")}
          rows={peers}
          rowKey={(peer) => `${peer.name} ${peer.kind}`}
          empty={t("fact.none")}
          columns={[
            { heading: t("fact.name"), bare: true, cell: (peer) => <Text fw={600}>{peer.name}</Text> },
            { heading: t("node.kind"), cell: (peer) => peer.kind },
            { heading: t("fact.state"), cell: (peer) => <State name={peer.reachable ? "ready" : "notReady"} /> },
            { heading: t("admin.address"), cell: (peer) => <span className="uid">{peer.address}</span> },
            { heading: t("jobs.seconds"), numeric: true, cell: (peer) => seconds(peer.seconds, i18n.language) },
            { heading: t("fact.reason"), cell: (peer) => peer.error && <Reason {...peer.error} /> },
            {
              heading: t("node.lastSeen"),
              cell: (peer) => moment(peer.reachable_at, i18n.language) || t("admin.never"),
            },
          ]}
        />
      )}
    </Offered>
  );
}
