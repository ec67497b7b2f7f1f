import i18next, { type i18n } from "i18next";
import { initReactI18next } from "react-i18next";

import { en } from "./en";
import { ko } from "./ko";

export const LANGUAGES = ["en", "ko"] as const;
export type Language = (typeof LANGUAGES)[number];
export const LANGUAGE_KEY = "neuronova-language";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "translation";
    resources: { translation: typeof en };
  }
}

/** Give the language to begin with: the one chosen before, else the browser's. */
export function firstLanguage(chosen: string | null, browser: string): Language {
  const wanted = chosen ?? browser;
  return wanted.toLowerCase().startsWith("ko") ? "ko" : "en";
}

/** Begin with a language. */
export function startTexts(language: Language): i18n {
  const texts = i18next.createInstance();
  void texts.use(initReactI18next).init({
    lng: language,
    fallbackLng: "en",
    resources: { en: { translation: en }, ko: { translation: ko } },
    interpolation: { escapeValue: false }, // React escapes
    initAsync: false,
  });
  return texts;
}
