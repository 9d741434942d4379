// One model: its figures, and the tabs.

import { announce, el, newId, setText } from "./dom.js";
import { fetchVersion } from "./api.js";
import { Editor } from "./editor.js";
import { Figures, interval, rounded } from "./figures.js";
import { livePill, marks } from "./models_view.js";
import { cardTab } from "./card_tab.js";
import { compareTab } from "./compare_tab.js";
import { tableTab } from "./table_tab.js";
import { tryTab } from "./try_tab.js";
import { versionsTab } from "./versions_tab.js";
import { whyTab } from "./why_tab.js";

/** The tabs; beside some of them stands the input. */
const TABS = [
	{ key: "try", title: "Try it", make: tryTab, hasInput: true },
	{ key: "compare", title: "Compare", make: compareTab, hasInput: true },
	{ key: "why", title: "Why", make: whyTab, hasInput: true },
	{ key: "table", title: "Many at once", make: tableTab, hasInput: false },
	{ key: "card", title: "Card", make: cardTab, hasInput: false },
	{ key: "versions", title: "Versions", make: versionsTab, hasInput: false },
];

export class ModelView {
	constructor(overview, name) {
		this.overview = overview;
		this.name = name;
		/** The version that somebody chose; empty for the one that is live. */
		this.chosen = "";
		this.live = "";
		this.shown = "";
		this.tab = null;
		/** @type {any} */
		this.version = null;
		/** @type {any} */
		this.editor = null;
		this.figures = new Figures();
		this.title = el("h1", name);
		this.about = el("p.row");
		this.description = el("p.quiet");
		this.evaluation = el("dd", "–");
		this.figures.element.prepend(el("div", el("dt", "evaluation"), this.evaluation));
		this.news = el("div", { role: "status" });
		this.body = el("div", el("p.quiet", "Loading…"));
		this.element = el("div",
			el("p.crumbs", el("a", { href: "/", text: "← All models" })),
			el("div.summary", el("div", this.title, this.about, this.description), this.figures.element),
			this.news, this.body);
		this.update();
	}

	get number() {
		return this.chosen || this.live;
	}

	target() {
		return { model: this.name, version: this.chosen || undefined, name: this.editor.name, signature: this.editor.signature };
	}

	loadedVersions() {
		const known = this.overview.model(this.name)?.versions || [];
		return known.filter((each) => each.state === "available").map((each) => each.version);
	}

	versionChoice() {
		const choice = el("select", { onchange: () => { this.chosen = choice.value; this.load(); } },
			el("option", { value: "", text: `live (${this.live})` }), ...this.versionOptions(this.chosen));
		return (this.choice = el("label", { hidden: this.loadedVersions().length < 2 && !this.chosen }, "Version ", choice));
	}

	/** The loaded versions to choose from, with their labels. */
	versionOptions(chosen) {
		const labels = Object.entries(this.overview.model(this.name).labels);
		return this.loadedVersions().map((version) => {
			const own = labels.filter(([, number]) => String(number) === version).map(([label]) => label);
			return el("option", { value: version, text: [version, ...own].join(" · "), selected: version === chosen });
		});
	}

	update() {
		const model = this.overview.model(this.name);
		if (!this.overview.value) return;
		if (!model) {
			this.body.replaceChildren(el("p.notice.bad", `There is no model ${this.name}.`));
			this.shown = "";
			this.version = null;
			return;
		}
		// What failed while the service was away is asked again.
		if (this.overview.hasReturned) this.tab?.ask();
		this.figures.update(this.overview.figures(this.name));
		const { times: _, ...rest } = model;
		const now = JSON.stringify(rest);
		if (now === this.shown) return;
		this.shown = now;
		document.title = `${model.title || this.name} · Understudy`;
		setText(this.title, model.title || this.name);
		this.about.replaceChildren(model.title ? el("code", this.name) : "", livePill(model), ...marks(model));
		const { evaluation } = model;
		this.evaluation.replaceChildren(...(evaluation ? [rounded(evaluation.value), el("small", interval(evaluation))] : ["–"]));
		this.evaluation.title = evaluation?.name || "";
		this.notice(model);
		this.tab?.update?.();
	}

	/** Another version is live, or the chosen one is gone. */
	notice(model) {
		const before = this.live;
		this.live = model.version || "";
		if (before && this.live && before !== this.live) {
			const words = `Version ${this.live} serves now; it was version ${before}.`;
			this.news.replaceChildren(el("p.notice.news", words));
			announce(words);
		}
		if (this.chosen && !this.loadedVersions().includes(this.chosen)) this.chosen = "";
		if (this.number && this.number !== this.version?.version) this.load();
		// Whoever is at work goes on with what is there.
		else if (this.number) this.choice?.replaceWith(this.versionChoice());
		else {
			const reasons = model.versions.map(({ version, reason }) => reason && ` Version ${version}: ${reason}`);
			this.body.replaceChildren(el("p.notice.warn", "Nothing of it serves now.", ...reasons));
			this.version = null;
		}
	}

	/** Show the version that is chosen, with the input that was there. */
	async load() {
		const number = this.number;
		try {
			const version = await fetchVersion(this.name, number);
			if (number !== this.number) return;
			const editor = new Editor(version);
			if (this.editor) await editor.copy(this.editor);
			this.version = version;
			this.editor = editor;
			editor.addEventListener("change", () => this.tab?.ask());
			setText(this.description, version.card?.description || "");
			this.draw();
		} catch (error) {
			this.body.replaceChildren(el("p.notice.bad", { text: /** @type {Error} */ (error).message }));
			// The next poll tries again.
			this.shown = "";
		}
	}

	draw() {
		const wanted = TABS.find(({ key }) => key === location.hash.slice(1)) || TABS[0];
		const panel = newId();
		const buttons = TABS.map(({ key, title }) => el("button", {
			type: "button", role: "tab", id: `tab-${key}`, "aria-controls": panel, "aria-selected": String(key === wanted.key),
			tabindex: key === wanted.key ? "0" : "-1", text: title,
			onclick: () => this.open(key),
			onkeydown: (event) => this.arrow(event, key),
		}));
		this.tab = wanted.make(this);
		const inside = wanted.hasInput
			? el("div.bench", el("section.paper", { "aria-label": "Input" }, this.editor.element), el("div.stack", this.tab.element, this.editor.examples))
			: this.tab.element;
		this.body.replaceChildren(
			el("div.tabs", { role: "tablist", "aria-label": "What to do with the model" }, ...buttons),
			el("div", { role: "tabpanel", id: panel, "aria-labelledby": `tab-${wanted.key}` }, inside));
		this.tab.ask();
	}

	open(key) {
		history.replaceState(null, "", `#${key}`);
		this.draw();
		document.getElementById(`tab-${key}`)?.focus();
	}

	arrow(event, key) {
		const at = TABS.findIndex((tab) => tab.key === key);
		const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
		if (next === undefined) return;
		event.preventDefault();
		this.open(TABS[(next + TABS.length) % TABS.length].key);
	}
}
