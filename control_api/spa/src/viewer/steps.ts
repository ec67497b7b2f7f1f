/** Give the slice that a key leads to, or undefined where the key means nothing here. */
export function stepOf(key: string, number: number, count: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ArrowUp: -1,
    ArrowLeft: -1,
    ArrowDown: 1,
    ArrowRight: 1,
    PageUp: -10,
    PageDown: 10,
    Home: -count,
    End: count,
  };
  const step = steps[key];
  return step === undefined ? undefined : within(number + step, count);
}

/** Give the nearest slice that there is. */
export function within(number: number, count: number): number {
  return Math.min(count, Math.max(1, Math.round(number)));
}
