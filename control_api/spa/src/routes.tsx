import { lazy, Suspense } from "react";
import { Navigate, Outlet, Route, Routes, useLocation } from "react-router";

import { LoginPage } from "./pages/LoginPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { StudiesPage } from "./pages/StudiesPage";
import { Broken } from "./shell/Broken";
import { Guard } from "./shell/Guard";
import { Layout } from "./shell/Layout";
import { Waiting } from "./shell/Waiting";

const StudyPage = lazy(() => import("./pages/StudyPage"));
const JobsPage = lazy(() => import("./pages/JobsPage"));
const JobPage = lazy(() => import("./pages/JobPage"));
const ModelsPage = lazy(() => import("./pages/ModelsPage"));
const MasterDataPage = lazy(() => import("./pages/MasterDataPage"));
const AdminPage = lazy(() => import("./pages/AdminPage"));
const AccountPage = lazy(() => import("./pages/AccountPage"));
const NodePage = lazy(() => import("./pages/NodePage"));

/** Every address of the app. The gateway answers these with the app's page (nginx.conf.template); a test compares. */
export function AllRoutes() {
  return (
    <Routes>
      <Route path="/login" element={<LoginPage />} />
      <Route element={<Inside />}>
        <Route index element={<StudiesPage />} />
        <Route path="/studies" element={<Navigate to="/" replace />} />
        <Route path="/studies/:studyUid" element={<StudyPage />} />
        <Route path="/jobs" element={<JobsPage />} />
        <Route path="/jobs/:jobId" element={<JobPage />} />
        <Route path="/models" element={<ModelsPage />} />
        <Route path="/node" element={<NodePage />} />
        <Route path="/master-data" element={<Navigate to="/master-data/medications" replace />} />
        <Route path="/master-data/:list" element={<MasterDataPage />} />
        <Route path="/admin" element={<Navigate to="/admin/users" replace />} />
        <Route path="/admin/:part" element={<AdminPage />} />
        <Route path="/account" element={<AccountPage />} />
        <Route path="*" element={<NotFoundPage />} />
      </Route>
    </Routes>
  );
}

function Inside() {
  const { pathname } = useLocation();
  return (
    <Guard>
      <Layout>
        <Broken key={pathname}>
          <Suspense fallback={<Waiting />}>
            <Outlet />
          </Suspense>
        </Broken>
      </Layout>
    </Guard>
  );
}
