import { Group } from "@mantine/core";
import { NavLink } from "react-router";

interface Properties {
  readonly label: string;
  readonly parts: readonly (readonly [address: string, name: string])[];
}

/** The way between the parts of a page, each of which has an address. */
export function Parts({ label, parts }: Properties) {
  return (
    <Group component="nav" gap={4} aria-label={label} className="parts">
      {parts.map(([address, name]) => (
        <NavLink key={address} to={address}>
          {name}
        </NavLink>
      ))}
    </Group>
  );
}
