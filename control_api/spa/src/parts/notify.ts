import { notifications } from "@mantine/notifications";

/** Say that something was done. */
export function sayDone(message: string): void {
  notifications.show({ message, color: "ink", role: "status", autoClose: 5000 });
}

/** Say that something was refused. */
export function sayRefused(title: string, message: string): void {
  notifications.show({ title, message, color: "red", role: "alert", autoClose: 12000 });
}
