import { useComputedColorScheme, useMantineColorScheme } from "@mantine/core";

/** Give whether colours are dark, and what turns them over. */
export function useColours(): { readonly dark: boolean; readonly toggle: () => void } {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  return { dark, toggle: () => setColorScheme(dark ? "light" : "dark") };
}
