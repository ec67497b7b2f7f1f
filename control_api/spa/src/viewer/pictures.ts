import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";

import type { API } from "../api/client";
import { useNode } from "../session/context";

/** Which picture of a series is wanted. */
export interface PictureOrder {
  readonly base: string;
  readonly number: number;
  readonly overlay: boolean;
  readonly window: string;
  readonly structures: readonly number[] | null;
  readonly jobId: string;
}

/** Give the address of a picture. */
export function pictureAddress(order: PictureOrder): string {
  const query = new URLSearchParams({ job_id: order.jobId, window: order.window, overlay: String(order.overlay) });
  if (order.overlay && order.structures) query.set("structures", order.structures.join(","));
  return `${order.base}/slices/${String(order.number)}.png?${query.toString()}`;
}

/** Ask for a picture with the token; an `<img>` by itself could not send it. */
function question(api: API, address: string) {
  return {
    queryKey: ["picture", address],
    staleTime: Infinity,
    gcTime: 60_000,
    queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Blob> => {
      const answer = await api.fetch(new Request(`${window.location.origin}${address}`, { signal }));
      if (!answer.ok) throw await answer.json();
      return answer.blob();
    },
  };
}

const AHEAD = [1, -1, 2, -2, 3];

/** Give a picture as an address that `<img>` can show, and have those around it fetched ahead. */
export function usePicture(order: PictureOrder, count: number) {
  const { api } = useNode();
  const kept = useQueryClient();
  const answer = useQuery({ ...question(api, pictureAddress(order)), placeholderData: (before) => before });
  const source = useObjectURL(answer.data);
  const address = pictureAddress(order);
  useEffect(() => {
    if (answer.isPlaceholderData || !answer.data) return;
    for (const step of AHEAD) {
      const number = order.number + step;
      if (number >= 1 && number <= count) {
        // What could not be fetched ahead is asked for again when it is looked at.
        kept.query(question(api, pictureAddress({ ...order, number }))).catch(() => undefined);
      }
    }
    // The address says all that the order says.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [address, answer.isPlaceholderData, answer.data, api, kept, count]);
  return { source, answer };
}

function useObjectURL(blob: Blob | undefined): string | undefined {
  const source = useMemo(() => blob && URL.createObjectURL(blob), [blob]);
  useEffect(() => {
    return () => {
      if (source) URL.revokeObjectURL(source);
    };
  }, [source]);
  return source;
}
