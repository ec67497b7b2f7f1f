import { call, Refused, session } from "/static/client.js";
import { cell, make, part, state, table, time, uid } from "/static/elements.js";

const POLL_MS = 3000;
const PAGE = 20;
const OPERATORS = new Set(["admin", "radiologist", "technician", "service"]);
const STATES = ["RECEIVED", "QUEUED", "PROCESSING", "DELIVERING", "COMPLETED", "FAILED", "REJECTED", "CANCELLED",
  "REVIEWING", "WITHDRAWING", "WITHDRAWN"];
const RETRYABLE = new Set(["FAILED", "REJECTED", "CANCELLED"]);
const CANCELLABLE = new Set(["RECEIVED", "QUEUED", "PROCESSING", "DELIVERING"]);

const find = (id) => document.getElementById(id);
const view = {
  role: null, open: new Set(), limits: { jobs: PAGE, studies: PAGE }, shown: {}, timer: null, round: 0,
};

// --- logging in and out -------------------------------------------------------------------------------------------

async function logIn(event) {
  event.preventDefault();
  const form = event.target;
  await attempt(async () => {
    const body = { username: form.username.value, password: form.password.value };
    session.keep((await call("/auth/login", { method: "POST", body })).access_token);
    form.reset();
    await begin();
    find("main").focus();
  });
}

async function logOut() {
  await attempt(() => call("/auth/logout", { method: "POST" }));
  leave();
}

function leave() {
  session.end();
  clearTimeout(view.timer);
  view.round += 1;
  view.open.clear();
  view.shown = {};
  for (const id of ["node", "models", "identity", "who", "updated"]) find(id).replaceChildren();
  for (const id of ["jobs", "studies"]) find(id).tBodies[0].replaceChildren();
  show(false);
  find("username").focus();
}

function show(inside) {
  find("login").hidden = inside;
  find("content").hidden = !inside;
  find("session").hidden = !inside;
}

async function begin() {
  const account = await call("/auth/me");
  view.role = account.role;
  find("who").textContent = `${account.username}, ${account.role}`;
  show(true);
  await poll();
}

// --- polling ------------------------------------------------------------------------------------------------------

/** Do something and say what went wrong, if anything did. */
async function attempt(action) {
  const notice = find("notice");
  try {
    await action();
    notice.hidden = true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401 && !find("content").hidden) leave();
    notice.textContent = error instanceof Refused ? error.message : "The node does not answer.";
    notice.hidden = false;
  }
}

async function poll() {
  clearTimeout(view.timer);
  const round = (view.round += 1);
  if (!document.hidden) await attempt(() => refresh(round));
  if (session.token && round === view.round) view.timer = setTimeout(poll, POLL_MS);
}

async function refresh(round) {
  const wanted = find("state").value;
  const query = `/jobs?limit=${view.limits.jobs}${wanted ? `&state=${wanted}` : ""}`;
  const [node, jobs, studies] = await Promise.all([
    call("/node/status"), call(query), call(`/studies?limit=${view.limits.studies}`),
  ]);
  const details = new Map(await Promise.all([...openOf(jobs, "job"), ...openOf(studies, "study")].map(load)));
  if (round !== view.round) return;
  showNode(node);
  fill("jobs", jobs, details, (job) => jobRows(job, details.get(`job ${job.job_id}`)));
  fill("studies", studies, details, (study) => studyRows(study, details.get(`study ${study.study_uid}`)));
  find("updated").textContent = `As of ${new Date(node.now).toLocaleTimeString()}.`;
}

const keyOf = (kind, item) => `${kind} ${kind === "job" ? item.job_id : item.study_uid}`;
const openOf = (list, kind) => list.items.map((item) => keyOf(kind, item)).filter((key) => view.open.has(key));

async function load(key) {
  const [kind, id] = key.split(" ");
  return [key, await call(kind === "job" ? `/jobs/${id}` : `/studies/${id}`)];
}

/** Replace a table's rows where something changed, and leave the keyboard's focus where it was or near it. */
function fill(id, list, details, rows) {
  const body = find(id).tBodies[0];
  const content = JSON.stringify([list, [...details], view.role]);
  if (view.shown[id] === content) return;
  view.shown[id] = content;
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const shown = list.items.flatMap(rows);
  body.replaceChildren(...(shown.length ? shown : [make("tr", {}, make("td", { colSpan: 8 }, "None yet."))]));
  if (focused) refocus(body, focused);
  find(`more-${id}`).hidden = list.next === null;
}

function refocus(body, key) {
  const at = (name) => body.querySelector(`[data-key="${CSS.escape(name)}"]`);
  const [, item] = key.split(" ");
  (at(key) ?? at(`job ${item}`) ?? at(`study ${item}`))?.focus({ preventScroll: true });
}

// --- the node -----------------------------------------------------------------------------------------------------

function showNode(node) {
  find("identity").textContent = `${node.ae_title}, version ${node.version}`;
  const facts = [
    ...STATES.map((name) => [name.toLowerCase(), node.jobs[name]]),
    ["series arriving", node.receiving_series],
    ...Object.entries(node.queues).map(([name, depth]) => [`${name} queue`, depth ?? "unknown"]),
    ["disk free", `${(node.disk.free_bytes / 2 ** 30).toFixed(1)} GiB`],
  ];
  find("node").replaceChildren(
    ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))),
  );
  const models = node.models.map((model) => `${model.id} ${model.version}`).join(", ");
  find("models").textContent = models ? `Models: ${models}` : "No model is active.";
}

// --- jobs ---------------------------------------------------------------------------------------------------------

function jobRows(job, detail) {
  const key = keyOf("job", job);
  const reason = job.withdrawn ? `withdrawn: ${job.withdrawn.reason}`
    : job.error ? `${job.error.message} (${job.error.code})` : job.superseded_by ? "superseded" : "";
  const row = make("tr", {},
    cell("State", state(job.state)),
    cell("Model", job.model ? `${job.model.id} ${job.model.version}${job.shadow ? ", in shadow" : ""}` : "none"),
    cell("Series", uid(job.series_uid)),
    cell("Run", `${job.run}${job.revision > 1 ? `, revision ${job.revision}` : ""}`),
    cell("Attempt", String(job.attempt)),
    cell("Created", time(job.created_at)),
    cell("Reason", reason),
    cell("Details", opener(key)),
  );
  return detail ? [row, detailRow(key, jobParts(detail))] : [row];
}

function jobParts(job) {
  return [
    job.stages.length ? part("Stages", stageList(job.stages)) : null,
    job.measurements.length
      ? part("Measurements", table(["Structure", "Value"], job.measurements.map((found) => [
        found.label, `${found.value.toFixed(1)} ${found.unit}`])))
      : null,
    job.artifacts.length
      ? part("Results", table(["Kind", "SOP Instance UID"], job.artifacts.map((made) => [
        made.kind, made.sop_instance_uid ? uid(made.sop_instance_uid) : ""])))
      : null,
    job.absent.length ? part("Not found", make("p", {}, job.absent.join(", "))) : null,
    job.report ? part("Report", make("code", {}, job.report)) : null,
    job.warnings.length ? part("Warnings", make("p", {}, job.warnings.join("; "))) : null,
    part("Job", make("p", {}, make("code", {}, job.job_id)), true),
    jobActions(job),
  ];
}

function stageList(stages) {
  const longest = Math.max(...stages.map((stage) => stage.seconds), 0.001);
  return make("ol", { className: "stages" }, ...stages.map((stage) => make("li", {},
    make("span", {}, stage.attempt > 1 ? `${stage.stage} (${stage.attempt})` : stage.stage),
    make("meter", { max: longest, value: stage.seconds, ariaLabel: `${stage.stage}, share of the longest stage` }),
    make("span", {}, `${stage.seconds.toFixed(2)} s`),
  )));
}

function jobActions(job) {
  if (!OPERATORS.has(view.role)) return null;
  const again = { series_uid: job.series_uid, ...(job.model ? { model_id: job.model.id } : {}) };
  return make("div", { className: "wide actions" },
    RETRYABLE.has(job.state) ? action("Retry", `retry ${job.job_id}`, `/jobs/${job.job_id}/retry`) : null,
    CANCELLABLE.has(job.state) ? action("Cancel", `cancel ${job.job_id}`, `/jobs/${job.job_id}/cancel`) : null,
    action("Run again", `again ${job.job_id}`, "/jobs", again),
  );
}

// --- studies ------------------------------------------------------------------------------------------------------

function studyRows(study, detail) {
  const key = keyOf("study", study);
  const row = make("tr", {},
    cell("Patient", [study.patient_name.replaceAll("^", " ").trim(), study.patient_id].filter(Boolean).join(", ")),
    cell("Study", study.study_description || uid(study.study_uid)),
    cell("Date", study.study_date),
    cell("From", study.calling_ae),
    cell("Series", String(study.series_count), study.receiving ? " " : "", study.receiving ? state("receiving") : ""),
    cell("Instances", String(study.instance_count)),
    cell("Received", time(study.last_received_at)),
    cell("Details", opener(key)),
  );
  return detail ? [row, detailRow(key, studyParts(detail))] : [row];
}

function studyParts(study) {
  const rows = study.series.map((series) => [
    series.receiving ? state("receiving") : state(series.decision ?? "undecided"),
    series.series_description || uid(series.series_uid),
    series.modality,
    series.expected_count ? `${series.instance_count} of ${series.expected_count}` : String(series.instance_count),
    (series.evidence ?? "").replaceAll("_", " "),
    series.reason ? `${series.reason.message} (${series.reason.code})` : "",
  ]);
  const headings = ["Decision", "Series", "Modality", "Instances", "Evidence", "Reason"];
  return [
    part("Series", table(headings, rows), true),
    study.receiving && OPERATORS.has(view.role)
      ? make("div", { className: "wide actions" },
        action("Declare complete", `complete ${study.study_uid}`, `/studies/${study.study_uid}/complete`, {}))
      : null,
  ];
}

// --- controls -----------------------------------------------------------------------------------------------------

function opener(key) {
  const open = view.open.has(key);
  const button = make("button", { type: "button", className: "quiet small", ariaExpanded: String(open), data: { key } },
    open ? "Hide" : "Show");
  button.addEventListener("click", () => {
    if (open) view.open.delete(key); else view.open.add(key);
    poll();
  });
  return button;
}

function detailRow(key, parts) {
  const grid = make("div", { className: "detail-grid" }, ...parts);
  return make("tr", { className: "detail" }, make("td", { colSpan: 8 }, grid));
}

// A busy button stays enabled: a disabled one would lose the keyboard's focus.
function action(text, key, path, body) {
  const button = make("button", { type: "button", className: "small", data: { key } }, text);
  button.addEventListener("click", async () => {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    await attempt(() => call(path, { method: "POST", body }));
    if (find("notice").hidden) poll();
    button.ariaBusy = "false";
  });
  return button;
}

function more(list) {
  view.limits[list] = Math.min(view.limits[list] + PAGE, 200);
  poll();
}

find("state").append(...STATES.map((name) => make("option", { value: name }, name)));
find("state").addEventListener("change", poll);
find("login").addEventListener("submit", logIn);
find("logout").addEventListener("click", logOut);
find("more-jobs").addEventListener("click", () => more("jobs"));
find("more-studies").addEventListener("click", () => more("studies"));
document.addEventListener("visibilitychange", () => { if (!document.hidden && session.token) poll(); });
show(false);
if (session.token) attempt(begin); else find("username").focus();
