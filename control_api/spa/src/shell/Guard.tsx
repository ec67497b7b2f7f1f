import { Center, Loader } from "@mantine/core";
import { useEffect, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, useLocation } from "react-router";

import { useNode, usePerson } from "../session/context";

/** Lets in who is logged in, or was: the cookie is tried once. Everybody else is sent to log in, and then back. */
export function Guard({ children }: { readonly children: ReactNode }) {
  const { t } = useTranslation();
  const { session } = useNode();
  const person = usePerson();
  const place = useLocation();
  const [tried, setTried] = useState(person !== undefined);
  useEffect(() => {
    if (!tried) void session.refresh().finally(() => setTried(true));
  }, [session, tried]);
  if (person) return children;
  if (tried) return <Navigate to="/login" replace state={{ from: place.pathname + place.search }} />;
  return (
    <Center mih="100vh" role="status" aria-label={t("app.loading")}>
      <Loader aria-hidden />
    </Center>
  );
}
