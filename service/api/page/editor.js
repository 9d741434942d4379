// The input of a model: a control for every field of a signature, and the golden examples.

import { radioGroup } from "./choice_input.js";
import { el, pill, put } from "./dom.js";
import { labelledInput, readable } from "./fields.js";
import { drawArray, newCanvas, takesPictures } from "./pictures.js";

const DEFAULT = "serving_default";

export class Editor {
	/** the example that is shown as it is */
	example = null;
	/** @type {any[]} the controls, one for each field */
	inputs = [];

	/** @param {Version} version @param {() => void} onchange */
	constructor(version, onchange) {
		this.version = version;
		this.onchange = onchange;
		this.element = el("div.stack");
		this.problem = el("p.notice.bad", { role: "alert" });
		this.names = Object.keys(version.signatures).sort((a, b) => Number(b === DEFAULT) - Number(a === DEFAULT));
		const [preferred] = this.names;
		this.buttons = this.chips();
		this.examples = this.buttons.length > 0 && el("section.paper", el("h2", "Examples"),
			el("ul.chips", { "aria-label": "Examples" }, ...this.buttons.map((button) => el("li", button))));
		this.choose(preferred);
		const start = version.examples.find((each) => each.signature === preferred);
		if (start) this.load(start);
	}

	get signature() {
		return this.version.signatures[this.name];
	}

	choose(name) {
		this.name = name;
		this.show(null);
		const ours = this.version.examples.filter(({ signature }) => signature === name);
		this.inputs = this.signature.inputs.map((field) => labelledInput(field, {
			hasRows: this.signature.has_rows,
			examples: ours.map(({ instance }) => instance[field.name] ?? null).filter((value) => value !== null),
			change: () => this.changed(),
			handOver: (file) => this.handOver(file),
		}));
		put(this.element, this.names.length > 1 && this.signatures(), ...this.inputs.map(({ element }) => element), this.problem);
	}

	signatures() {
		const titles = this.names.map((name) => (name === DEFAULT ? "default" : readable(name) || '""'));
		const { element, radios } = radioGroup("Signature", titles, () => {
			this.choose(this.names[radios.findIndex((radio) => radio.checked)]);
			this.element.querySelector(".choices input:checked").focus();
			this.changed();
		});
		radios[this.names.indexOf(this.name)].checked = true;
		return element;
	}

	/** A file goes to the signature that is made for files. */
	handOver(file) {
		const found = this.names.find((name) => takesFiles(this.version.signatures[name]));
		if (found === undefined) return false;
		this.choose(found);
		this.inputs[0].take(file);
		return true;
	}

	chips() {
		return this.version.examples.map((example) => el("button", {
			type: "button", title: example.note, onclick: () => { this.load(example); this.onchange(); },
		}, this.thumbnail(example), el("span", example.title), example.is_hard && pill("hard", "warn")));
	}

	thumbnail(example) {
		const field = this.version.signatures[example.signature]?.inputs.find(({ picture }) => picture);
		if (!field?.picture) return null;
		const value = example.instance[field.name];
		const [canvas] = newCanvas(value.length);
		drawArray(canvas, value, field.picture);
		canvas.ariaHidden = "true";
		return canvas;
	}

	load(example) {
		if (example.signature !== this.name) this.choose(example.signature);
		for (const { field, write } of this.inputs) write(example.instance[field.name]);
		this.show(example);
	}

	/** Mark an example as the one that is shown; null where none is. */
	show(example) {
		this.example = example;
		this.buttons.forEach((button, i) => { button.ariaPressed = String(this.version.examples[i] === example); });
	}

	changed() {
		this.show(null);
		this.onchange();
	}

	async read() {
		/** @type {Row} */
		const row = {};
		for (const { field, read } of this.inputs) {
			const value = await read();
			if (value !== undefined) row[field.name] = value;
		}
		return row;
	}

	/** Take over what another editor holds, as far as the contracts agree. */
	async copy(other) {
		const [{ name, example }, row] = [other, await other.read()];
		if (!(name in this.version.signatures)) return;
		if (name !== this.name) this.choose(name);
		for (const { field, write } of this.inputs) if (field.name in row) write(row[field.name]);
		this.show(example && this.version.examples.find(({ note, signature }) => note === example.note && signature === example.signature));
	}

	/** Show what is wrong at the fields it belongs to, in the service's own words. @param {Outcome} outcome */
	showProblems(outcome = { ok: true, error: "", details: {} }) {
		const found = problemsByField(outcome, this.inputs.map(({ field }) => field.name));
		for (const { field, show } of this.inputs) show(found.get(field.name) || []);
		this.problem.textContent = (found.get("") || []).join(" ");
	}
}

/** whether all that a signature takes is a picture's file */
export const takesFiles = ({ inputs }) => inputs.length === 1 && takesPictures(inputs[0]);

/** @type {ProblemsByField} */
export function problemsByField({ ok, error, details }, names) {
	const found = new Map();
	const entries = Object.entries(details);
	if (!ok && !entries.length) found.set("", [error]);
	for (const [path, messages] of entries) {
		const inner = /^(?:instances\[\d+\]|inputs|feedback\[0\]\.truth)\.?(.*)$/.exec(path)?.[1] ?? path;
		// A name may have dots or brackets in it: the longest that fits is meant.
		const name = names.filter((each) => inner === each || inner.startsWith(`${each}[`) || inner.startsWith(`${each}.`))
			.sort((a, b) => b.length - a.length)[0] ?? (names.length === 1 && /^(\[|$)/.test(inner) ? names[0] : "");
		const place = inner.slice(name.length);
		const words = messages.map((message) => (place ? `${place}: ${message}` : message));
		found.set(name, [...(found.get(name) || []), ...words]);
	}
	return found;
}
