import { Group, Loader, SegmentedControl, Slider, Stack, Switch, Text } from "@mantine/core";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";

import type { PreviewFacts } from "../api/shapes";
import { en } from "../i18n/en";
import { usePicture } from "./pictures";
import { stepOf, within } from "./steps";

interface Properties {
  readonly base: string;
  readonly facts: PreviewFacts;
  readonly chosen: string | null;
}

/** Shows one slice at a time: by wheel, slider and keys, with the overlay on or off, in a window of one's choice. */
export function SliceViewer({ base, facts, chosen }: Properties) {
  const { t } = useTranslation();
  const help = useId();
  const [number, setNumber] = useState(() => within(facts.slices / 2, facts.slices));
  const [overlay, setOverlay] = useState(true);
  const [window, setWindow] = useState(facts.windows[0]?.name ?? "default");
  const only = facts.structures.filter((one) => one.tracking_uid === chosen).map((one) => one.number);
  const order = { base, number, overlay, window, structures: only.length > 0 ? only : null, jobId: facts.job_id };
  const frame = useWheel((step) => setNumber((before) => within(before + step, facts.slices)));
  const press = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const next = stepOf(event.key, number, facts.slices);
    const named = facts.windows[Number(event.key) - 1];
    if (next !== undefined) setNumber(next);
    else if (event.key.toLowerCase() === "o") setOverlay((before) => !before);
    else if (named) setWindow(named.name);
    else return;
    event.preventDefault();
  };
  const place = t("viewer.sliceOf", { number, count: facts.slices });
  return (
    <Stack gap="xs">
      <div
        ref={frame}
        className="slice"
        role="slider"
        tabIndex={0}
        aria-label={t("viewer.title")}
        aria-describedby={help}
        aria-orientation="vertical"
        aria-valuemin={1}
        aria-valuemax={facts.slices}
        aria-valuenow={number}
        aria-valuetext={place}
        onKeyDown={press}
      >
        <Picture order={order} count={facts.slices} />
        <Sides sides={facts.sides} />
        <span className="slice-place">{place}</span>
      </div>
      <Slider
        min={1}
        max={facts.slices}
        value={number}
        onChange={setNumber}
        label={null}
        thumbLabel={t("viewer.slice")}
        thumbSize={20}
      />
      <Group gap="md" mt={4}>
        <Switch
          label={t("viewer.overlay")}
          checked={overlay}
          onChange={(event) => setOverlay(event.currentTarget.checked)}
        />
        <SegmentedControl
          size="xs"
          aria-label={t("viewer.window")}
          value={window}
          onChange={setWindow}
          data={facts.windows.map(({ name }) => ({ value: name, label: windowName(name, t) }))}
        />
      </Group>
      <Text size="xs" c="dimmed" id={help}>
        {t("viewer.help")}
      </Text>
    </Stack>
  );
}

function windowName(name: string, t: ReturnType<typeof useTranslation>["t"]): string {
  return name in en.viewer.windows ? t(`viewer.windows.${name as keyof typeof en.viewer.windows}`) : name;
}

interface PictureProperties {
  readonly order: Parameters<typeof usePicture>[0];
  readonly count: number;
}

function Picture({ order, count }: PictureProperties) {
  const { t } = useTranslation();
  const { source, answer } = usePicture(order, count);
  if (answer.error && !source) return <span className="slice-note">{t("viewer.failed")}</span>;
  if (!source) return <Loader role="img" aria-label={t("viewer.loading")} color="gray" />;
  const shown = !answer.isPlaceholderData;
  return <img src={source} alt="" data-number={shown ? order.number : undefined} draggable={false} />;
}

/** Letters at the edges: on which side of the patient each is. */
function Sides({ sides }: { readonly sides: readonly string[] }) {
  const places = ["left", "right", "top", "bottom"];
  return sides.slice(0, 4).map((side, at) => (
    <span key={places[at]} className={`slice-side slice-${places[at] ?? ""}`} aria-hidden>
      {side}
    </span>
  ));
}

/** Listens to the wheel over an element; the page itself then does not scroll. */
function useWheel(turn: (step: number) => void) {
  const frame = useRef<HTMLDivElement>(null);
  const latest = useRef(turn);
  useEffect(() => {
    latest.current = turn;
  });
  useEffect(() => {
    const element = frame.current;
    const listen = (event: WheelEvent) => {
      event.preventDefault();
      if (event.deltaY !== 0) latest.current(event.deltaY > 0 ? 1 : -1);
    };
    element?.addEventListener("wheel", listen, { passive: false });
    return () => element?.removeEventListener("wheel", listen);
  }, []);
  return frame;
}
