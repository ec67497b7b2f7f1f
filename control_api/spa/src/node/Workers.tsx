/** To come. */
export function Workers() {
  return null;
}
