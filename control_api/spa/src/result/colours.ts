import type { ModelCard } from "../api/shapes";
import { useQueries } from "../session/context";

/** Give the colours in which a version of a model shows its labels, by code; they are those of the overlay. */
export function useColoursOf(
  model: { readonly id: string; readonly version: string } | null,
): ReadonlyMap<string, string> {
  const models = useQueries().useQuery("get", "/api/models", {}, { staleTime: 60_000 });
  const card = models.data?.models.find((one) => one.id === model?.id && one.version === model.version);
  return coloursOf(card);
}

/** Give the colours of a card's labels, as CSS writes them, by name and by code. */
export function coloursOf(card: Pick<ModelCard, "labels"> | undefined): ReadonlyMap<string, string> {
  const entries = (card?.labels ?? []).flatMap((label) => {
    const colour = `rgb(${label.colour_rgb.join(" ")})`;
    return [[label.name, colour] as const, [label.type.value, colour] as const];
  });
  return new Map([...entries].reverse());
}
