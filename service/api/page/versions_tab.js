// A model's versions: their states and why; with the token, what serves.

import { button, el } from "./dom.js";
import { modelPath } from "./api.js";

// Kept for as long as the page is open, and nowhere else.
let token = "";

const STATE_CLASSES = { available: "good", failed: "bad", end: "" };

export function stateOf({ version, state, reason }, model) {
	const labels = Object.entries(model.labels).filter(([, number]) => String(number) === version).map(([label]) => label);
	return el("li", `Version ${version} `, el("span", { class: `pill ${STATE_CLASSES[state] ?? "warn"}`, text: state === "end" ? "not loaded" : state }),
		...labels.map((label) => el("span", " ", el("span.pill", label))),
		reason ? el("span.quiet", ` ${reason}`) : null);
}

/** @type {MakeTab} */
export function versionsTab(model) {
	const list = el("ul.versions");
	const about = el("p.quiet");
	const admin = el("div");
	const element = el("div.paper.stack", list, about, admin);
	let shown = "";
	function update() {
		const known = model.overview.model(model.name);
		if (!known) return;
		const now = JSON.stringify([known.versions, known.labels, known.pinned, known.unloaded, known.policy_problem]);
		if (now === shown) return;
		shown = now;
		list.replaceChildren(...known.versions.map((version) => stateOf(version, known)));
		about.textContent = known.policy_problem || (known.unloaded ? "The policy keeps the model unloaded."
			: known.pinned ? "Pinned: new versions are not taken over until that is undone." : "New versions are taken over by themselves.");
		admin.replaceChildren(...controls(model, known));
	}
	update();
	return { element, ask: () => {}, update };
}

function controls(model, known) {
	if (!model.overview.value.admin) {
		return [el("p.quiet", "This page only reads and predicts: the admin API is off (UNDERSTUDY_ADMIN_TOKEN turns it on).")];
	}
	const told = el("p.notice", { role: "status", hidden: true });
	const tell = async (response, done = "") => {
		told.hidden = false;
		told.textContent = response?.ok ? done : response ? (await response.json()).error : "It cannot be sent.";
	};
	const redraw = () => told.parentElement?.replaceChildren(...controls(model, known));
	if (!token) {
		const box = el("input", { type: "password", autocomplete: "off", id: "admin-token" });
		return [el("form", {
			class: "row",
			onsubmit: async (event) => {
				event.preventDefault();
				token = box.value;
				const response = await ask(model, "/policy", "GET").catch(() => null);
				if (response?.ok) return redraw();
				token = "";
				tell(response);
			},
		}, el("label", { for: "admin-token", text: "Admin token" }), box, el("button", { type: "submit", text: "Use it" })),
		el("p.quiet", "Without it this page only reads and predicts. It is forgotten when the page is closed."), told];
	}
	const act = async (path, method, body, done) => tell(await ask(model, path, method, body).catch(() => null), done);
	const serve = (which, done) => act("/policy", "PUT", { serve: which }, done);
	return [el("div.tools",
		button("Roll back", () => act(":rollback", "POST", undefined, "Rolled back.")),
		...known.versions.filter((each) => each.state !== "failed")
			.map(({ version }) => button(`Pin version ${version}`, () => serve({ versions: [Number(version)] }, `Version ${version} is pinned.`))),
		known.pinned ? button("Unpin: serve the newest", () => serve({ latest: 1 }, "The newest version serves.")) : null,
		button("Forget the token", () => { token = ""; redraw(); })), told];
}

const ask = (model, path, method, body) => fetch(modelPath(model.name) + path, {
	method,
	headers: { Authorization: `Bearer ${token}`, ...(body ? { "Content-Type": "application/json" } : {}) },
	body: body ? JSON.stringify(body) : undefined,
});
