/** To come. */
export function NodeSettings() {
  return null;
}
