import { MantineProvider, mergeThemeOverrides } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import type { i18n } from "i18next";
import { useEffect, useMemo, type ReactNode } from "react";
import { I18nextProvider, useTranslation } from "react-i18next";
import { BrowserRouter } from "react-router";

import { problemOf } from "./api/problem";
import { AllRoutes } from "./routes";
import { NodeContext, type Node } from "./session/context";
import { theme, variables } from "./shell/theme";

/** Make what keeps answers: asked again where that may help, and never where the node said no. */
export function makeKept(): QueryClient {
  const worthwhile = (count: number, error: unknown) => {
    const { status } = problemOf(error);
    return count < 2 && (status === 0 || status >= 502);
  };
  return new QueryClient({
    defaultOptions: { queries: { retry: worthwhile, staleTime: 2000 }, mutations: { retry: false } },
  });
}

interface Properties {
  readonly node: Node;
  readonly texts: i18n;
  readonly kept: QueryClient;
}

/** The app, with all that it stands on. */
export function App({ node, texts, kept }: Properties) {
  return (
    <I18nextProvider i18n={texts}>
      <Themed>
        <Notifications position="bottom-right" />
        <QueryClientProvider client={kept}>
          <NodeContext value={node}>
            <DocumentLanguage />
            <BrowserRouter>
              <AllRoutes />
            </BrowserRouter>
          </NodeContext>
        </QueryClientProvider>
      </Themed>
    </I18nextProvider>
  );
}

/** The library's own buttons have their names in the reader's language too. */
function Themed({ children }: { readonly children: ReactNode }) {
  const { t } = useTranslation();
  const close = t("action.close");
  const named = useMemo(() => {
    const closeButtonProps = { "aria-label": close };
    return mergeThemeOverrides(theme, { components: { Notification: { defaultProps: { closeButtonProps } } } });
  }, [close]);
  return (
    <MantineProvider theme={named} cssVariablesResolver={variables} defaultColorScheme="auto">
      {children}
    </MantineProvider>
  );
}

/** Screen readers and browsers are told which language is spoken. */
function DocumentLanguage() {
  const { i18n } = useTranslation();
  useEffect(() => {
    document.documentElement.lang = i18n.language;
  }, [i18n.language]);
  return null;
}
