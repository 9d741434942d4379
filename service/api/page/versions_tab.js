// The versions of a model: what each is doing and why; and, for those who hold the token, what serves.

import { announce, el } from "./dom.js";
import { modelPath } from "./api.js";

// Kept for as long as the page is open, and nowhere else.
let token = "";

export const STATE_CLASSES = /** @type {Record<string, string>} */ ({ available: "good", failed: "bad", end: "", draining: "warn" });

/** @param {any} version of the overview @param {any} model of the overview @returns {HTMLElement} */
export function stateOf({ version, state, reason }, model) {
  const labels = Object.entries(model.labels).filter(([, number]) => String(number) === version).map(([label]) => label);
  return el("li", {}, `Version ${version} `, el("span", { class: `pill ${STATE_CLASSES[state] ?? "warn"}`, text: state === "end" ? "not loaded" : state }),
    ...labels.map((label) => el("span", {}, " ", el("span", { class: "pill", text: label }))),
    reason ? el("span", { class: "quiet", text: ` ${reason}` }) : null);
}

/** @param {import("./model_view.js").ModelView} model @returns {{element: HTMLElement, ask: () => void, update: () => void}} */
export function versionsTab(model) {
  const list = el("ul", { class: "versions" });
  const about = el("p", { class: "quiet" });
  const admin = el("div", {});
  const element = el("div", { class: "paper stack" }, list, about, admin);
  let shown = "";
  function update() {
    const known = model.overview.model(model.name);
    if (!known) return;
    const now = JSON.stringify([known.versions, known.labels, known.pinned, known.unloaded, known.policy_problem]);
    if (now === shown) return;
    shown = now;
    list.replaceChildren(...known.versions.map((/** @type {any} */ version) => stateOf(version, known)));
    about.textContent = known.policy_problem || (known.unloaded ? "The policy keeps the model unloaded."
      : known.pinned ? "Pinned: new versions are not taken over until that is undone." : "New versions are taken over by themselves.");
    admin.replaceChildren(...controls(model, known));
  }
  update();
  return { element, ask: () => {}, update };
}

/** @param {import("./model_view.js").ModelView} model @param {any} known @returns {HTMLElement[]} */
function controls(model, known) {
  if (!model.overview.value.admin) {
    return [el("p", { class: "quiet", text: "This page only reads and predicts: the admin API is off (UNDERSTUDY_ADMIN_TOKEN turns it on)." })];
  }
  const told = el("p", { class: "notice", role: "status", hidden: true });
  if (!token) {
    const box = el("input", { type: "password", autocomplete: "off", id: "admin-token" });
    return [el("form", {
      class: "row",
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        token = box.value;
        const response = await ask(`${modelPath(model.name)}/policy`, "GET");
        if (response.ok) return controlsInto(model, known, told);
        token = "";
        told.hidden = false;
        told.textContent = (await response.json()).error;
      },
    }, el("label", { for: "admin-token", text: "Admin token" }), box, el("button", { type: "submit", text: "Use it" })),
    el("p", { class: "quiet", text: "Without it this page only reads and predicts. It is forgotten when the page is closed." }), told];
  }
  const act = async (/** @type {string} */ path, /** @type {string} */ method, /** @type {any} */ body, /** @type {string} */ done) => {
    const response = await ask(path, method, body).catch(() => null);
    told.hidden = false;
    told.textContent = response?.ok ? done : response ? (await response.json()).error : "The service cannot be reached.";
    announce(told.textContent);
  };
  const pin = (/** @type {string} */ version) => el("button", {
    type: "button", text: `Pin version ${version}`,
    onclick: () => act(`${modelPath(model.name)}/policy`, "PUT", { serve: { versions: [Number(version)] } }, `Version ${version} is pinned.`),
  });
  return [el("div", { class: "tools" },
    el("button", { type: "button", text: "Roll back", onclick: () => act(`${modelPath(model.name)}:rollback`, "POST", undefined, "Rolled back.") }),
    ...known.versions.filter((/** @type {any} */ each) => each.state !== "failed").map((/** @type {any} */ each) => pin(each.version)),
    known.pinned ? el("button", { type: "button", text: "Unpin: serve the newest", onclick: () => act(`${modelPath(model.name)}/policy`, "PUT", { serve: { latest: 1 } }, "The newest version serves.") }) : null,
    el("button", { type: "button", text: "Forget the token", onclick: () => { token = ""; controlsInto(model, known, told); } })), told];
}

/** @param {import("./model_view.js").ModelView} model @param {any} known @param {HTMLElement} inside */
function controlsInto(model, known, inside) {
  inside.parentElement?.replaceChildren(...controls(model, known));
}

/** @param {string} path @param {string} method @param {any} [body] */
const ask = (path, method, body) => fetch(path, {
  method,
  headers: { Authorization: `Bearer ${token}`, ...(body ? { "Content-Type": "application/json" } : {}) },
  body: body ? JSON.stringify(body) : undefined,
});
