// All models: what serves, how good it is, what it has to do.

import { announce, changes, el, pill, pills, put } from "./dom.js";
import { evaluationView, figuresView, sparkline } from "./figures.js";
import { stateOf } from "./versions_tab.js";

export function modelsView(overview) {
	const items = new Map();
	const list = el("ul.models");
	const problems = el("div");
	const search = el("input", { type: "search", oninput: narrow });
	const areNew = changes();
	const filter = el("label", { hidden: true }, "Show models that contain ", search);
	document.title = "Understudy";

	function update() {
		if (!overview.value) return;
		const { models } = overview.value;
		const names = models.map(({ name }) => name);
		for (const [name, { element }] of items) {
			if (names.includes(name)) continue;
			element.remove();
			items.delete(name);
		}
		models.forEach((model, i) => {
			const { name } = model;
			if (!items.has(name)) {
				items.set(name, modelItem(name));
				list.insertBefore(items.get(name).element, list.children[i] || null);
			}
			items.get(name).update(model, overview);
		});
		filter.hidden = names.length < 13;
		narrow();
		showProblems(overview.value);
	}

	/** Show the models whose names or titles hold what was typed. */
	function narrow() {
		const wanted = search.value.toLowerCase();
		for (const { element } of items.values()) element.hidden = !element.querySelector(".about").textContent.toLowerCase().includes(wanted);
	}

	function showProblems({ problem, ignored, models }) {
		if (!areNew([problem, ignored, models.length])) return;
		put(problems,
			problem && el("p.notice.bad", { role: "alert" }, problem),
			!models.length && el("p.notice", "There is none yet. Put a version into the folder of models: <model>/<version>/saved_model.pb."),
			ignored.length > 0 && el("details", el("summary", `In the folder of models, but not served: ${ignored.length}`),
				el("ul", ...ignored.map(({ path, reason }) => el("li", el("code", path), ` ${reason}`)))));
	}

	update();
	return { element: el("div", el("h1", "Models"), problems, filter, list), update };
}

function modelItem(name) {
	let live = "";
	const isNew = changes();
	const about = el("div.about.stack");
	const figures = figuresView();
	const spark = sparkline();

	function update({ times: _, ...rest }, overview) {
		/** @type {any} */
		const model = rest;
		figures.update(overview.figures(name));
		spark.update(overview.history(name).rates);
		if (!isNew(model)) return;
		if (live && model.version && live !== model.version) announce(`${name}: version ${model.version} serves now.`);
		live = model.version || "";
		const others = model.versions.filter(({ version, state }) => version !== model.version && state !== "end");
		put(about,
			el("div.row.apart", el("h2", el("a", { href: `/models/${encodeURIComponent(name)}` }, model.title || name)), livePill(model)),
			el("p.quiet", model.title && el("code", name), ...pills(model.marks)),
			model.evaluation && evaluationView(model.evaluation),
			others.length > 0 && el("ul.versions", ...others.map((each) => stateOf(each, model))),
			model.policy_problem && el("p.notice.warn", model.policy_problem));
	}

	return { element: el("li.paper", { "data-model": name }, about, figures.element, spark.element), update };
}

export function livePill({ version, unloaded, versions }) {
	if (version) return el("span.pill.good", { "data-live": version }, `version ${version}`);
	if (unloaded) return pill("unloaded");
	const isLoading = versions.some(({ state }) => !["failed", "end"].includes(state));
	return isLoading ? pill("loading", "warn") : pill("does not serve", "bad");
}
