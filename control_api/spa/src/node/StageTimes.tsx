/** To come. */
export function StageTimes() {
  return null;
}
