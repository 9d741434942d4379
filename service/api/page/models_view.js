// All models: what serves, how good it is, what it has to do.

import { announce, el } from "./dom.js";
import { Figures, Sparkline, interval, rounded } from "./figures.js";
import { stateOf } from "./versions_tab.js";


export class ModelsView {
	constructor(overview) {
		this.overview = overview;
		/** @type {Map<string, ModelItem>} */
		this.items = new Map();
		this.list = el("ul.models");
		this.problems = el("div");
		this.search = el("input", { type: "search", oninput: () => this.narrow() });
		this.filter = el("label", { hidden: true }, "Show models that contain ", this.search);
		this.element = el("div", el("h1", "Models"), this.problems, this.filter, this.list);
		document.title = "Understudy";
		this.shownProblems = "";
		this.update();
	}

	update() {
		const { value } = this.overview;
		if (!value) return;
		const names = value.models.map((model) => model.name);
		for (const [name, item] of this.items) {
			if (names.includes(name)) continue;
			item.element.remove();
			this.items.delete(name);
		}
		let before = null;
		for (const model of value.models) {
			let item = this.items.get(model.name);
			if (!item) {
				this.items.set(model.name, (item = new ModelItem(model.name)));
				if (before) before.after(item.element);
				else this.list.prepend(item.element);
			}
			before = item.element;
			item.update(model, this.overview);
		}
		this.filter.hidden = names.length < 13;
		this.narrow();
		this.showProblems(value);
	}

	/** Show the models whose names or titles hold what was typed. */
	narrow() {
		const wanted = this.search.value.toLowerCase();
		for (const { element } of this.items.values()) element.hidden = !element.querySelector(".about").textContent.toLowerCase().includes(wanted);
	}

	showProblems({ problem, ignored, models }) {
		const now = JSON.stringify([problem, ignored, models.length]);
		if (now === this.shownProblems) return;
		this.shownProblems = now;
		const are = ignored.length === 1 ? "thing lies in the folder of models and is" : "things lie in the folder of models and are";
		this.problems.replaceChildren(...[
			problem ? el("p.notice.bad", { role: "alert", text: problem }) : null,
			models.length ? null : el("p.notice", "There is none yet. Put a version into the folder of models: <model>/<version>/saved_model.pb."),
			ignored.length ? el("details", el("summary", `${ignored.length} ${are} not served`),
				el("ul", ...ignored.map((item) => el("li", el("code", item.path), ` ${item.reason}`)))) : null,
		].filter(Boolean));
	}
}

class ModelItem {
	constructor(name) {
		this.name = name;
		this.shown = "";
		this.live = "";
		this.about = el("div.about.stack");
		this.figures = new Figures();
		this.spark = new Sparkline();
		this.element = el("li.paper", { "data-model": name }, this.about, this.figures.element, this.spark.element);
	}

	update(model, overview) {
		this.figures.update(overview.figures(this.name));
		this.spark.update(overview.histories.get(this.name)?.rates || []);
		const { times: _, ...rest } = model;
		const now = JSON.stringify(rest);
		if (now === this.shown) return;
		this.shown = now;
		if (this.live && model.version && this.live !== model.version) announce(`${this.name}: version ${model.version} serves now.`);
		this.live = model.version || "";
		const { evaluation } = model;
		const others = model.versions.filter((each) => each.version !== model.version && each.state !== "end");
		this.about.replaceChildren(...[
			el("div.row.apart",
				el("h2", el("a", { href: `/models/${encodeURIComponent(this.name)}`, text: model.title || this.name })),
				livePill(model)),
			el("p.quiet", model.title ? el("code", this.name) : null, ...marks(model)),
			evaluation ? el("p.evaluation", el("b", rounded(evaluation.value)), ` ${evaluation.name} `, el("span.quiet", interval(evaluation, "(", ")"))) : null,
			others.length ? el("ul.versions", ...others.map((each) => stateOf(each, model))) : null,
			model.policy_problem ? el("p.notice.warn", model.policy_problem) : null,
		].filter(Boolean));
	}
}

export function livePill(model) {
	if (model.version) return el("span.pill.good", { "data-live": model.version, text: `version ${model.version}` });
	if (model.unloaded) return el("span.pill", "unloaded");
	const isLoading = model.versions.some((each) => !["failed", "end"].includes(each.state));
	return el("span", { class: `pill ${isLoading ? "warn" : "bad"}`, text: isLoading ? "loading" : "does not serve" });
}

export function marks(model) {
	const labels = Object.entries(model.labels).map(([label, version]) => `${label} → ${version}`);
	return [...(model.pinned ? ["pinned"] : []), ...labels].map((text) => el("span", " ", el("span.pill", text)));
}

