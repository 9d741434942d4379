// Text; and arrays, as JSON or as lines of numbers with commas.

import { el, newId, setText } from "./dom.js";
import { isNumber, numberIn, parse, stringify } from "./json.js";

export function textInput({ max_length: most }, { change }) {
	const control = el("textarea", { id: newId(), spellcheck: "false", oninput: () => { count(); change(); } });
	const counter = el("p.hint");
	function count() {
		const used = new TextEncoder().encode(control.value).length;
		setText(counter, `${used.toLocaleString("en")} of ${most?.toLocaleString("en")} bytes`);
	}
	function write(value) {
		control.value = typeof value === "string" ? value : stringify(value);
		count();
	}
	return { element: el("div", control, most && counter), control, fallback: "", read: () => control.value, write };
}

export function jsonInput({ dtype }, shape, { change }) {
	const isText = dtype === "string";
	const control = el("textarea.code", { id: newId(), spellcheck: "false", oninput: change });
	const size = shape ? `[${shape.map((n) => n ?? "any").join(" × ")}]` : "any shape";
	const how = isText ? "JSON" : "JSON, or numbers with commas";
	/** what cannot be read goes to the service as text: it says what is wrong */
	function read() {
		const text = control.value.trim();
		try {
			return parse(text);
		} catch {
			const lines = text.split(/\r?\n/).map((line) => line.split(/[,;\t]/).map(numberIn));
			if (isText || !lines.flat().every(isNumber)) return text;
			return shape?.length === 1 ? lines.flat() : lines;
		}
	}
	return {
		element: el("div", control, el("p.hint", `${dtype}, ${size}; as ${how}`)), control,
		fallback: zeros(shape || [], isText ? "" : dtype === "bool" ? false : 0),
		read, write: (value) => { control.value = stringify(value); },
	};
}

function zeros(shape, value) {
	if (!shape.length) return value;
	// What nobody could edit would only hold up the browser.
	const isHuge = shape.reduce((product, size) => product * (size ?? 1), 1) > 100_000;
	return Array.from({ length: isHuge ? 1 : shape[0] ?? 1 }, () => zeros(shape.slice(1), value));
}
