// Text; and arrays, as JSON or as lines of numbers with commas.

import { el, newId, setText } from "./dom.js";

export class TextInput {
	constructor(field, context) {
		this.most = field.max_length;
		this.changed = () => { this.count(); context.change(); };
		this.control = el("textarea", { id: newId(), spellcheck: "false", oninput: this.changed });
		this.counter = el("p.hint");
		this.element = el("div", this.control, this.most ? this.counter : null);
		const known = context.examples.find((each) => typeof each === "string");
		this.write(field.example ?? known ?? "");
	}

	count() {
		if (!this.most) return;
		const used = new TextEncoder().encode(this.control.value).length;
		setText(this.counter, `${used.toLocaleString("en")} of ${this.most.toLocaleString("en")} bytes`);
	}

	read() {
		return this.control.value;
	}

	write(value) {
		this.control.value = typeof value === "string" ? value : JSON.stringify(value);
		this.count();
	}
}

export class JsonInput {
	constructor(field, shape, context) {
		this.changed = context.change;
		this.isText = field.dtype === "string";
		this.depth = shape ? shape.length : -1;
		this.control = el("textarea.code", { id: newId(), spellcheck: "false", oninput: this.changed });
		const size = shape ? `[${shape.map((n) => n ?? "any").join(" × ")}]` : "any shape";
		const how = this.isText ? "JSON" : "JSON, or numbers with commas";
		this.element = el("div", this.control, el("p.hint", `${field.dtype}, ${size}; as ${how}`));
		this.write(field.example ?? context.examples[0] ?? zeros(shape || [], this.isText ? "" : field.dtype === "bool" ? false : 0));
	}

	/** what cannot be read goes to the service as text: it says what is wrong */
	read() {
		const text = this.control.value.trim();
		try {
			return JSON.parse(text);
		} catch {
			const lines = text.split(/\r?\n/).map((line) => line.split(/[,;\t]/).map(Number));
			if (this.isText || lines.flat().some(Number.isNaN)) return text;
			return this.depth === 1 ? lines.flat() : lines;
		}
	}

	write(value) {
		this.control.value = JSON.stringify(value);
	}
}

function zeros(shape, value) {
	if (!shape.length) return value;
	// What nobody could edit would only hold up the browser.
	const isHuge = shape.reduce((product, size) => product * (size ?? 1), 1) > 100_000;
	return Array.from({ length: isHuge ? 1 : shape[0] ?? 1 }, () => zeros(shape.slice(1), value));
}
