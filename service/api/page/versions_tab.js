// A model's versions: their states and why; with the token, what serves.

import { button, el, newId, put, secretForm } from "./dom.js";
import { modelPath, send } from "./api.js";
import { rolloutView } from "./rollout.js";

// Kept for as long as the page is open, and nowhere else.
let token = "";

const STATE_CLASSES = { available: "good", failed: "bad", end: "" };

/** The labels of a version. */
export const labelsOf = ({ labels }, version) => Object.keys(labels).filter((label) => String(labels[label]) === version);

export const stateOf = ({ version, state, reason }, model) =>
	el("li", `Version ${version} `, el("span", { class: `pill ${STATE_CLASSES[state] ?? "warn"}` }, state === "end" ? "not loaded" : state),
		...labelsOf(model, version).map((label) => el("span", " ", el("span.pill", label))),
		reason && el("span.quiet", ` ${reason}`));

/** @type {MakeTab} */
export function versionsTab(model) {
	const list = el("ul.versions");
	const about = el("p.quiet");
	const admin = el("div");
	const rollout = rolloutView(model.name);
	let shown = "";
	function update() {
		const known = model.overview.model(model.name);
		if (!known) return;
		const { versions, labels, pinned, unloaded, policy_problem, rollout: trial } = known;
		const now = JSON.stringify([versions, labels, pinned, unloaded, policy_problem, trial]);
		if (now === shown) return;
		shown = now;
		list.replaceChildren(...versions.map((version) => stateOf(version, known)));
		about.textContent = policy_problem || (unloaded ? "The policy keeps the model unloaded."
			: trial ? "A rollout decides what serves."
				: pinned ? "Pinned: new versions are not taken over until that is undone." : "New versions are taken over by themselves.");
		put(admin, ...controls(model, known));
	}
	update();
	return { element: el("div.stack", el("div.paper.stack", list, about, admin), rollout.element), update, poll: rollout.poll };
}

function controls(model, known) {
	if (!model.overview.value.admin) {
		return [el("p.quiet", "This page only reads and predicts: the admin API is off (UNDERSTUDY_ADMIN_TOKEN turns it on).")];
	}
	const told = el("p.notice", { role: "status", hidden: true });
	async function act(path, method, body, done) {
		const { ok, error } = await send(modelPath(model.name) + path, { method, body, headers: { Authorization: `Bearer ${token}` } });
		told.hidden = false;
		told.textContent = ok ? done : error;
		return ok;
	}
	const versions = known.versions.filter(({ state }) => state !== "failed").map(({ version }) => version);
	const redraw = () => put(told.parentElement, ...controls(model, known));
	if (!token) {
		return [secretForm("Admin token", async (given) => {
			token = given;
			if (await act("/policy", "GET")) return redraw();
			token = "";
		}), el("p.quiet", "Without it this page only reads and predicts. It is forgotten when the page is closed."), told];
	}
	const { rollout } = known;
	const serve = (which, done) => act("/policy", "PUT", { serve: which }, done);
	return [el("div.tools",
		button(rollout ? "Abort the rollout" : "Roll back", () => act(":rollback", "POST", undefined, "Rolled back.")),
		...versions.map((version) => button(version === rollout?.candidate ? `Promote version ${version} now` : `Pin version ${version}`,
			() => serve({ versions: [Number(version)] }, `Version ${version} is pinned.`))),
		known.pinned && button("Unpin: serve the newest", () => serve({ latest: 1 }, "The newest version serves.")),
		button("Forget the token", () => { token = ""; redraw(); })), !rollout && trialForm(act), told];
}

/** Any version can be tried out, also one that is not loaded. */
function trialForm(act) {
	const box = el("input", { inputmode: "numeric", size: 4, autocomplete: "off", id: newId() });
	const onsubmit = (event) => {
		event.preventDefault();
		act(":rollout", "POST", { candidate: Number(box.value || NaN) }, `Version ${box.value} is on trial.`);
	};
	return el("form.row", { onsubmit }, el("label", { for: box.id }, "Version to try out on live traffic"), box, el("button", "Try it out"));
}
