// A file of any kind, for inputs that take files which are not pictures.

import { button, el, newId } from "./dom.js";
import { encoded } from "./pictures.js";

/** A button to pick files, which `take` gets. `props` are of the box behind it. */
export function filePicker(text, take, props) {
	const box = el("input", { type: "file", hidden: true, "aria-label": text, ...props, onchange: () => { take([...box.files]); box.value = ""; } });
	return el("span", button(text, () => box.click()), box);
}

export function fileInput({ content_types }, { change }) {
	let value = { b64: "" };
	const note = el("p.hint");
	const control = el("input", { type: "file", id: newId(), accept: content_types.join(","), onchange: () => take(control.files[0]) });
	async function take(file) {
		if (!file) return;
		value = await encoded(file);
		note.textContent = file.name || "";
		change();
	}
	function write(example) {
		value = example;
		note.textContent = "The file of an example.";
	}
	const element = el("div.takes-files", { onfiles: ({ detail: [file] }) => take(file) }, control, note);
	return { element, control, fallback: undefined, take, read: () => value, write };
}
