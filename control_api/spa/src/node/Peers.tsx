/** To come. */
export function Peers() {
  return null;
}
