import { useTranslation } from "react-i18next";

import type { en } from "../i18n/en";

export type StateName = keyof typeof en.state;

const TONES: Partial<Record<StateName, string>> = {
  COMPLETED: "good", analysed: "good", done: "good", active: "good", ready: "good", verified: "good", verifying: "busy", accept: "good",
  FAILED: "bad", failed: "bad", WITHDRAWN: "bad", recalled: "bad", notReady: "bad", reject: "bad",
  PROCESSING: "busy", DELIVERING: "busy", REVIEWING: "busy", WITHDRAWING: "busy", receiving: "busy",
  QUEUED: "wait", RECEIVED: "wait", pending: "wait", undecided: "wait", amend: "wait", shadow: "wait",
}; // prettier-ignore

/** Show a state in words; the colour only repeats it. */
export function State({ name }: { readonly name: StateName }) {
  const { t } = useTranslation();
  return (
    <span className="state" data-tone={TONES[name] ?? "calm"} data-state={name}>
      {t(`state.${name}`)}
    </span>
  );
}
