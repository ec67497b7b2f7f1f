import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { I18nextProvider } from "react-i18next";
import { MemoryRouter } from "react-router";

import { createAPI } from "../api/client";
import { Session, type Role } from "../api/session";
import { startTexts } from "../i18n";
import { NodeContext } from "../session/context";
import { serve, type Answers, type Asked } from "./server";

/** Show something to somebody of a role, in English, in front of a node that answers as told. */
export async function show(what: ReactNode, answers: Answers = {}, role: Role = "radiologist"): Promise<Asked[]> {
  const asked = serve({ "GET /api/auth/me": { username: "somebody", role }, ...answers });
  const session = new Session();
  await session.begin({ access_token: "token" });
  render(
    <I18nextProvider i18n={startTexts("en")}>
      <MantineProvider env="test">
        <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
          <NodeContext value={{ api: createAPI(session), session }}>
            <MemoryRouter>{what}</MemoryRouter>
          </NodeContext>
        </QueryClientProvider>
      </MantineProvider>
    </I18nextProvider>,
  );
  return asked;
}
