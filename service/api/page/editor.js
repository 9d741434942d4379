// The input of a model: a control for every field of a signature, and the golden examples.

import { el, newId } from "./dom.js";
import { LabelledInput, readable } from "./fields.js";
import { brightness, drawArray, newCanvas, picturesIn, takesPictures } from "./pictures.js";

const DEFAULT = "serving_default";

/** Fires "change" when the input is another. */
export class Editor extends EventTarget {
	constructor(version) {
		super();
		this.version = version;
		this.element = el("div.stack");
		/** @type {any} the example that is shown as it is */
		this.example = null;
		this.problem = el("p.notice.bad", { role: "alert", hidden: true });
		this.names = Object.keys(version.signatures).sort((a, b) => Number(b === DEFAULT) - Number(a === DEFAULT));
		const [preferred] = this.names;
		this.examples = this.chips();
		this.choose(preferred);
		const start = version.examples.find((each) => each.signature === preferred);
		if (start) this.load(start);
	}

	get signature() {
		return this.version.signatures[this.name];
	}

	choose(name) {
		this.name = name;
		this.example = null;
		this.press();
		const ours = this.version.examples.filter((each) => each.signature === name);
		this.inputs = this.signature.inputs.map((field) => new LabelledInput(field, {
			hasRows: this.signature.has_rows,
			examples: ours.map((each) => each.instance[field.name]).filter((value) => value !== undefined && value !== null),
			change: () => this.changed(),
		}));
		for (const { input } of this.inputs) {
			if ("onFile" in input && input.shape) input.onFile = (file) => this.handOver(file);
		}
		this.element.replaceChildren(...[this.signatures(), ...this.inputs.map((each) => each.element), this.problem].filter(Boolean));
	}

	signatures() {
		if (this.names.length < 2) return null;
		const group = newId();
		return el("div.choices", { role: "radiogroup", "aria-label": "Signature" },
			...this.names.map((name) => el("label",
				el("input", {
					type: "radio", name: group, checked: name === this.name,
					onchange: () => { this.choose(name); this.element.querySelector(".choices input:checked").focus(); this.changed(); },
				}),
				el("span", name === DEFAULT ? "default" : readable(name) || '""'))));
	}

	/** A file goes to the signature that is made for files. */
	handOver(file) {
		const found = Object.entries(this.version.signatures).find(([, { inputs }]) => inputs.length === 1 && takesPictures(inputs[0]));
		if (!found) return false;
		this.choose(found[0]);
		this.inputs[0].input.take(file);
		return true;
	}

	chips() {
		const { examples } = this.version;
		if (!examples.length) return null;
		this.buttons = examples.map((example) => el("button", {
			type: "button", "aria-pressed": String(example === this.example), title: example.note,
			onclick: () => { this.load(example); this.dispatchEvent(new Event("change")); },
		}, this.thumbnail(example), el("span", shortNote(example.note)),
		/\bhard\b/i.test(example.note) ? el("span.pill.warn", "hard") : null));
		return el("section.paper", el("h2", "Examples"),
			el("ul.chips", { "aria-label": "Examples" }, ...this.buttons.map((button) => el("li", button))));
	}

	thumbnail(example) {
		const signature = this.version.signatures[example.signature];
		for (const field of signature?.inputs || []) {
			const shape = picturesIn(field);
			if (shape && signature.has_rows) {
				const [canvas] = newCanvas(shape.size);
				drawArray(canvas, example.instance[field.name], brightness(field));
				canvas.ariaHidden = "true";
				return canvas;
			}
		}
		return null;
	}

	load(example) {
		if (example.signature !== this.name) this.choose(example.signature);
		for (const input of this.inputs) input.write(example.instance[input.field.name]);
		this.example = example;
		this.press();
	}

	press() {
		this.buttons?.forEach((button, i) =>
			{ button.ariaPressed = String(this.version.examples[i] === this.example); });
	}

	changed() {
		this.example = null;
		this.press();
		this.dispatchEvent(new Event("change"));
	}

	async read() {
		/** @type {Row} */
		const row = {};
		for (const input of this.inputs) {
			const value = await input.read();
			if (value !== undefined) row[input.field.name] = value;
		}
		return row;
	}

	/** Take over what another editor holds, as far as the contracts agree. */
	async copy(other) {
		if (!(other.name in this.version.signatures)) return;
		if (other.name !== this.name) this.choose(other.name);
		const row = await other.read();
		const { example } = other;
		for (const input of this.inputs) {
			if (input.field.name in row) input.write(row[input.field.name]);
		}
		this.example = example && this.version.examples.find((each) => each.note === example.note && each.signature === example.signature);
		this.press();
	}

	/** Show what is wrong at the fields it belongs to, in the service's own words. @param {Outcome} answer */
	showProblems(answer = { ok: true, error: "", details: {} }) {
		const found = problemsByField(answer, this.inputs.map((each) => each.field.name));
		for (const input of this.inputs) input.show(found.get(input.field.name) || []);
		this.problem.textContent = (found.get("") || []).join(" ");
		this.problem.hidden = !found.has("");
	}
}

/** Sort messages by the field that their path names; others are under "". @param {Outcome} answer @returns {Map<string, string[]>} */
export function problemsByField(answer, names) {
	const found = new Map();
	if (answer.ok) return found;
	const entries = Object.entries(answer.details);
	if (!entries.length) return found.set("", [answer.error]);
	for (const [path, messages] of entries) {
		const inner = /^(?:instances\[\d+\]|inputs)\.?(.*)$/.exec(path)?.[1] ?? path;
		// A name may have dots or brackets in it: the longest that fits is meant.
		const name = names.filter((each) => inner === each || inner.startsWith(`${each}[`) || inner.startsWith(`${each}.`))
			.sort((a, b) => b.length - a.length)[0] ?? (names.length === 1 && /^(\[|$)/.test(inner) ? names[0] : "");
		const place = inner.slice(name.length);
		const words = messages.map((message) => (place ? `${place}: ${message}` : message));
		found.set(name, [...(found.get(name) || []), ...words]);
	}
	return found;
}

/** without what the mark says */
const shortNote = (note) => {
	const text = note.replace(/;?\s*hard\b(?=:|$)/i, "").replace(/^\s*:\s*/, "").trim();
	return text.length > 44 ? `${text.slice(0, 43)}…` : text || "example";
};
