import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./shell/shell.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { createAPI } from "./api/client";
import { Session } from "./api/session";
import { App, makeKept } from "./App";
import { firstLanguage, LANGUAGE_KEY, startTexts } from "./i18n";
import { preference } from "./preferences";

const session = new Session();
const texts = startTexts(firstLanguage(preference(LANGUAGE_KEY), navigator.language));
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App node={{ api: createAPI(session), session }} texts={texts} kept={makeKept()} />
    </StrictMode>,
  );
}
