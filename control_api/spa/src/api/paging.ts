import { useInfiniteQuery, type QueryKey } from "@tanstack/react-query";

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

interface Answered<Item> {
  readonly data?: Page<Item>;
  readonly error?: unknown;
}

/** Give a list page by page, each page asked for again every so often. */
export function usePages<Item>(key: QueryKey, ask: (after?: string) => Promise<Answered<Item>>, pollMs?: number) {
  const answer = useInfiniteQuery({
    queryKey: key,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<Item>) => page.next ?? undefined,
    queryFn: async ({ pageParam }) => {
      const { data, error } = await ask(pageParam);

      if (!data) throw error;
      return data;
    },
    placeholderData: (before) => before,
    ...(pollMs !== undefined && { refetchInterval: pollMs }),
  });
  const items = answer.data?.pages.flatMap((page) => page.items) ?? [];
  return { answer, items, more: answer.hasNextPage ? () => void answer.fetchNextPage() : undefined };
}
