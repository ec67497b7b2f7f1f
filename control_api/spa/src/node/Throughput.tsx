/** To come. */
export function Throughput() {
  return null;
}
