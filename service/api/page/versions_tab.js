// A model's versions: their states and why; with the token, what serves.

import { button, el, lineForm, pill, pills, redraw, secretForm } from "./dom.js";
import { modelPath, send } from "./api.js";
import { numberIn } from "./json.js";
import { rolloutView } from "./rollout.js";

// Kept for as long as the page is open, and nowhere else.
let token = "";

const KINDS = { available: "good", failed: "bad", end: "" };

/** The labels of a version. */
export const labelsOf = ({ labels }, version) => Object.keys(labels).filter((label) => String(labels[label]) === version);

export const stateOf = ({ version, state, reason }, model) =>
	el("li", `Version ${version} `, pill(state === "end" ? "not loaded" : state, KINDS[state] ?? "warn"),
		...pills(labelsOf(model, version)),
		reason && el("span.quiet", ` ${reason}`));

/** @type {MakeTab} */
export function versionsTab(model) {
	const list = el("ul.versions");
	const about = el("p.quiet");
	const admin = adminControls(model);
	const rollout = rolloutView(model.name);
	function update() {
		list.replaceChildren(...model.known.versions.map((version) => stateOf(version, model.known)));
		about.textContent = model.known.policy;
		admin.update();
	}
	update();
	return { element: el("div.stack", el("div.paper.stack", list, about, admin.element), rollout.element), update, poll: rollout.poll, isOfAll: true };
}

/** What the token allows. What somebody types stays when other versions serve, and so do the focus and the last status. */
function adminControls(model) {
	const note = el("p.notice", { role: "status" });
	const tools = el("div.tools");
	async function act(path, method, body, done) {
		const { ok, error } = await send(modelPath(model.name) + path, { method, body, headers: { Authorization: `Bearer ${token}` } });
		note.textContent = ok ? done : error;
		return ok;
	}
	const serve = (which, done) => act("/policy", "PUT", { serve: which, unloaded: false }, done);
	const pin = (version) => serve({ versions: [numberIn(version)] }, `Version ${version} is pinned.`);
	// Also a version that is not loaded.
	const anyVersion = (label, text, take) => lineForm(label, text, take, { inputmode: "numeric", size: 4 });
	const pinned = anyVersion("Version to pin", "Pin it", pin);
	const trial = anyVersion("Version to try out on live traffic", "Try it out",
		(given) => act(":rollout", "POST", { candidate: numberIn(given) }, `Version ${given} is on trial.`));
	const secret = secretForm("Admin token", async (given) => {
		token = given;
		if (await act("/policy", "GET")) return use(given);
		token = "";
	});
	const locked = el("div", secret, el("p.quiet", "Without it this page only reads and predicts. It is forgotten when the page is closed."));
	const off = el("p.quiet", "This page only reads and predicts: the admin API is off (UNDERSTUDY_ADMIN_TOKEN turns it on).");

	function use(given) {
		token = given;
		note.textContent = "";
		secret.reset();
		update();
		(token ? tools : secret).querySelector("button,input").focus();
	}

	function update() {
		const { versions, pinned: isPinned, rollout } = model.known;
		const isOn = model.overview.value.admin;
		off.hidden = isOn;
		locked.hidden = !isOn || Boolean(token);
		tools.hidden = pinned.hidden = !isOn || !token;
		trial.hidden = tools.hidden || Boolean(rollout);
		redraw(tools,
			button(rollout ? "Abort the rollout" : "Roll back", () => act(":rollback", "POST", undefined, "Rolled back.")),
			...versions.filter(({ state }) => state !== "failed").map(({ version }) => button(version === rollout?.candidate ? `Promote version ${version} now` : `Pin version ${version}`, () => pin(version))),
			isPinned && button("Unpin: serve the newest", () => serve({ latest: 1 }, "The newest version serves.")),
			button("Forget the token", () => use("")));
	}

	return { element: el("div", off, locked, tools, pinned, trial, note), update };
}
