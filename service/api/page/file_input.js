// A file of any kind, for inputs that take files which are not pictures.

import { el, newId } from "./dom.js";
import { encoded } from "./pictures.js";

export class FileInput {
	constructor(field, context) {
		this.changed = context.change;
		this.value = { b64: "" };
		this.told = el("p.hint");
		this.control = el("input", {
			type: "file", id: newId(), accept: (field.content_types || []).join(","),
			onchange: () => this.take(this.control.files[0]),
		});
		this.element = el("div.takes-files", { onfiles: ({ detail: [file] }) => this.take(file) }, this.control, this.told);
		if (context.examples[0]) this.write(context.examples[0]);
	}

	async take(file) {
		if (!file) return;
		this.value = await encoded(file);
		this.told.textContent = file.name || "";
		this.changed();
	}

	read() {
		return this.value;
	}

	write(value) {
		this.value = value;
		this.told.textContent = "The file of an example.";
	}
}
