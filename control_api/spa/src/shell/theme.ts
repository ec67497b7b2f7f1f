import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

// prettier-ignore
const ink: MantineColorsTuple = [
  "#e9f5f9", "#d6e8ef", "#aacfdd", "#7bb5cb", "#559fbb", "#3c91b2", "#2b84a7", "#1a7194", "#0b5c7a", "#064a63",
];

// Cool greys for dark grounds; the library's are warm, and do not go with the ink.
// prettier-ignore
const dark: MantineColorsTuple = [
  "#e6ebf0", "#c3ccd5", "#9aa5b1", "#76828f", "#46525e", "#333e48", "#1c232a", "#171c21", "#121619", "#0d1013",
];

/** Colours whose contrast holds WCAG AA on both grounds; a test with axe looks at every page. */
export const theme = createTheme({
  colors: { ink, dark },
  primaryColor: "ink",
  primaryShade: { light: 8, dark: 7 },
  autoContrast: true,
  fontFamily:
    "system-ui, -apple-system, 'Segoe UI', 'Noto Sans KR', 'Noto Sans CJK KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'Noto Sans Mono', monospace",
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  headings: { fontWeight: "650", sizes: { h1: { fontSize: "1.5rem" }, h2: { fontSize: "1.125rem" } } },
  components: {
    Table: { defaultProps: { verticalSpacing: "xs" } },
    Card: { defaultProps: { withBorder: true, padding: "md" } },
    Modal: { defaultProps: { centered: true } },
    Tooltip: { defaultProps: { withArrow: true, events: { hover: true, focus: true, touch: true } } },
  },
});

/** The greys and reds of the library are too faint for small text: darker on light, lighter on dark. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "#4a545e",
    "--mantine-color-placeholder": "#5f6b76",
    "--mantine-color-error": "#b42318",
    "--mantine-color-anchor": "#0b5c7a",
    "--mantine-color-body": "#ffffff",
    "--node-ground": "#f5f7f9",
    "--node-line": "#d9dfe5",
  },
  dark: {
    "--mantine-color-dimmed": "#aab4bf",
    "--mantine-color-placeholder": "#98a3af",
    "--mantine-color-error": "#ff9d94",
    "--mantine-color-anchor": "#7bc4e2",
    "--mantine-color-body": "#171c21",
    "--node-ground": "#101418",
    "--node-line": "#323a43",
  },
});
