// One model: its figures, and the tabs.

import { changes, el, newId, pills, put, setText } from "./dom.js";
import { send, uiPath } from "./api.js";
import { Editor } from "./editor.js";
import { between, figuresView, rounded } from "./figures.js";
import { livePill } from "./models_view.js";
import { auditsTab } from "./audits_tab.js";
import { cardTab } from "./card_tab.js";
import { compareTab } from "./compare_tab.js";
import { driftTab } from "./drift_tab.js";
import { tableTab } from "./table_tab.js";
import { tryTab } from "./try_tab.js";
import { labelsOf, versionsTab } from "./versions_tab.js";
import { whyTab } from "./why_tab.js";

/** The tabs; beside some of them stands the input. */
const TABS = [
	{ key: "try", title: "Try it", make: tryTab, hasInput: true },
	{ key: "compare", title: "Compare", make: compareTab, hasInput: true },
	{ key: "why", title: "Why", make: whyTab, hasInput: true },
	{ key: "table", title: "Many at once", make: tableTab },
	{ key: "card", title: "Card", make: cardTab },
	{ key: "versions", title: "Versions", make: versionsTab },
	{ key: "drift", title: "Drift", make: driftTab },
	{ key: "audits", title: "Audits", make: auditsTab },
];

export class ModelView {
	/** The version that somebody chose; empty for the one that is live. */
	chosen = "";
	/** @type {string|undefined} empty where nothing serves */
	live;
	isNew = changes();
	tab;
	/** @type {any} */
	version = null;
	/** @type {any} */
	editor = null;
	choice;
	/** @type {any} where the answers to many inputs are shown */
	table;

	constructor(overview, name) {
		this.overview = overview;
		this.name = name;
		this.figures = figuresView();
		this.title = el("h1", name);
		this.about = el("p.row");
		this.description = el("p.quiet");
		this.stored = el("p.hint");
		this.evaluation = el("dd", "–");
		this.figures.element.prepend(el("div", el("dt", "evaluation"), this.evaluation));
		this.news = el("div", { role: "status" });
		this.body = el("div", el("p.quiet", "Loading…"));
		this.element = el("div",
			el("p.crumbs", el("a", { href: "/" }, "← All models")),
			el("div.summary", el("div", this.title, this.about, this.description, this.stored), this.figures.element),
			this.news, this.body);
		this.update();
	}

	get number() {
		return this.chosen || this.live;
	}

	/** There are audits only where predictions are stored. */
	get tabs() {
		return TABS.filter(({ key }) => key !== "audits" || this.known.events);
	}

	/** The model's part of the overview. */
	get known() {
		return this.overview.model(this.name);
	}

	target() {
		return { model: this.name, version: this.chosen || undefined, name: this.editor.name, signature: this.editor.signature };
	}

	loadedVersions() {
		return this.known.versions.filter(({ state }) => state === "available").map(({ version }) => version);
	}

	versionChoice() {
		const choice = el("select", { onchange: () => { this.chosen = choice.value; this.load(); } },
			el("option", { value: "" }, `live (${this.live})`), ...this.versionOptions(this.chosen));
		return (this.choice = el("label", { hidden: this.loadedVersions().length < 2 && !this.chosen }, "Version ", choice));
	}

	/** The loaded versions to choose from, with their labels. */
	versionOptions(chosen) {
		return this.loadedVersions().map((version) =>
			el("option", { value: version, selected: version === chosen }, [version, ...labelsOf(this.known, version)].join(" · ")));
	}

	update() {
		if (!this.overview.value) return;
		if (!this.known) {
			this.say("bad", `There is no model ${this.name}.`);
			this.isNew = changes();
			return;
		}
		// What failed while the service was away is asked again; an answer in correction stays.
		if (this.overview.hasReturned && !this.body.querySelector("details[open] form")) this.tab?.ask?.();
		this.tab?.poll?.();
		this.figures.update(this.overview.figures(this.name));
		const { times: _, ...model } = this.known;
		if (!this.isNew(model)) return;
		const { title, evaluation } = model;
		document.title = `${title || this.name} · Understudy`;
		setText(this.title, title || this.name);
		put(this.about, title && el("code", this.name), livePill(model), ...pills(model.marks));
		put(this.evaluation, ...(evaluation ? [rounded(evaluation.value), el("small", between(evaluation.low, evaluation.high))] : ["–"]));
		setText(this.stored, model.events);
		this.evaluation.title = evaluation?.name || "";
		this.notice(model);
		this.tab?.update?.();
	}

	/** Show a sentence in place of a version and its tab. */
	say(kind, words) {
		put(this.body, el(`p.notice.${kind}`, words));
		this.version = this.tab = null;
	}

	/** Nothing serves: say why, and keep at hand what makes something serve. */
	rest(versions) {
		if (this.version || !this.tab) {
			this.say("warn");
			this.tab = versionsTab(this);
			this.body.append(this.tab.element);
		}
		put(this.body.firstElementChild, "Nothing of it serves now.", ...versions.map((each) => each.reason && ` Version ${each.version}: ${each.reason}`));
	}

	/** Another version is live, or the chosen one is gone. */
	notice({ version, versions }) {
		const before = this.live;
		this.live = version || "";
		if (this.live && before !== undefined && before !== this.live) {
			put(this.news, el("p.notice.news", `Version ${this.live} serves now${before && `; it was version ${before}`}.`));
		}
		if (!this.loadedVersions().includes(this.chosen)) this.chosen = "";
		if (!this.number) this.rest(versions);
		else if (this.number !== this.version?.version) this.load();
		// What the user is editing stays.
		else this.choice?.replaceWith(this.versionChoice());
	}

	/** Show the version that is chosen, with the input that was there. */
	async load() {
		const { number } = this;
		try {
			const { ok, value, error } = await send(uiPath(this.name, number));
			if (!ok) throw new Error(error);
			if (number !== this.number) return;
			const editor = new Editor(value, () => this.tab?.ask?.());
			if (this.editor) await editor.copy(this.editor);
			const before = this.version;
			this.version = value;
			this.editor = editor;
			setText(this.description, value.card?.description || "");
			// Who has made it serve goes on there.
			if (!before && this.tab?.element.contains(document.activeElement)) this.open("versions");
			else if (!before || !this.tab?.isOfAll) this.draw();
		} catch (error) {
			this.say("bad", /** @type {Error} */ (error).message);
			// The next poll tries again.
			this.isNew = changes();
		}
	}

	draw() {
		const wanted = this.tabs.find(({ key }) => key === location.hash.slice(1)) || TABS[0];
		const panel = newId();
		const buttons = this.tabs.map(({ key, title }) => el("button", {
			type: "button", role: "tab", id: `tab-${key}`, "aria-controls": panel, "aria-selected": String(key === wanted.key),
			tabindex: key === wanted.key ? "0" : "-1",
			onclick: () => this.open(key),
			onkeydown: (event) => this.arrow(event, key),
		}, title));
		this.tab = wanted.make(this);
		put(this.body,
			el("div.tabs", { role: "tablist", "aria-label": "What to do with the model" }, ...buttons),
			el("div", { role: "tabpanel", id: panel, "aria-labelledby": `tab-${wanted.key}` }, wanted.hasInput
				? el("div.bench", el("section.paper", { "aria-label": "Input" }, this.editor.element), el("div.stack", this.tab.element, this.editor.examples))
				: this.tab.element));
		this.tab.ask?.();
	}

	open(key) {
		history.replaceState(null, "", `#${key}`);
		this.draw();
		document.getElementById(`tab-${key}`)?.focus();
	}

	arrow(event, key) {
		const { tabs } = this;
		const at = tabs.findIndex((tab) => tab.key === key);
		const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
		if (next === undefined) return;
		event.preventDefault();
		this.open(tabs[(next + tabs.length) % tabs.length].key);
	}
}
