// Which control a field of a contract gets.

import { el, newId } from "./dom.js";
import { NumberInput } from "./number_input.js";
import { ChoiceInput, FlagInput } from "./choice_input.js";
import { JsonInput, TextInput } from "./text_input.js";
import { FileInput } from "./file_input.js";
import { PictureInput } from "./picture_input.js";
import { picturesIn, takesPictures } from "./pictures.js";

export function inputFor(field, context) {
	const shape = field.shape && (context.hasRows ? field.shape.slice(1) : field.shape);
	if (field.content_types?.length) {
		return takesPictures(field) && shape?.length === 0 ? new PictureInput(field, null, context) : new FileInput(field, context);
	}
	const pictures = picturesIn(field, Number(context.hasRows));
	if (pictures) return new PictureInput(field, pictures, context);
	if (!shape || shape.length) return new JsonInput(field, shape, context);
	if (field.choices?.length) return new ChoiceInput(field, context);
	if (field.dtype === "bool") return new FlagInput(field, context);
	if (field.dtype === "string") return new TextInput(field, context);
	return new NumberInput(field, context);
}

/** An input with its name, meaning, and what is wrong with it. */
export class LabelledInput {
	constructor(field, context) {
		this.field = field;
		this.input = inputFor(field, context);
		const [id, hint, problem] = [newId(), newId(), newId()];
		this.problem = el("p.problem", { id: problem, hidden: true });
		this.element = el("div.field", { role: "group", "aria-labelledby": id, "data-field": field.name },
			el("div.row.apart",
				el("label.name", { id, for: this.input.control.id || null, text: titled(field) }),
				this.optional()),
			field.description ? el("p.hint", { id: hint, text: field.description }) : null,
			this.input.element, this.problem);
		const described = field.description ? `${hint} ${problem}` : problem;
		this.input.control.setAttribute("aria-describedby", described);
	}

	/** A switch for what may be unknown, or be left to the model. */
	optional() {
		const { field } = this;
		this.absent = null;
		if (!field.nullable && !field.has_default) return null;
		this.absent = el("input", { type: "checkbox", role: "switch", onchange: () => this.toggle(true) });
		if (field.has_default) this.absent.checked = true;
		this.toggle(false);
		return el("label.switch", this.absent, field.has_default ? "as the model has it" : "unknown");
	}

	toggle(isNew) {
		this.input.element.hidden = this.absent.checked;
		if (isNew) this.input.changed();
	}

	async read() {
		if (this.absent?.checked) return this.field.has_default ? undefined : null;
		return this.input.read();
	}

	write(value) {
		const isAbsent = value === null || value === undefined;
		if (this.absent) {
			this.absent.checked = isAbsent;
			this.toggle(false);
		}
		if (!isAbsent) this.input.write(value);
	}

	show(messages) {
		this.problem.textContent = messages.join(" ");
		this.problem.hidden = !messages.length;
		this.element.classList.toggle("wrong", messages.length > 0);
		this.input.control.ariaInvalid = String(messages.length > 0);
	}
}

/** a tensor's name as a person would write it */
export const readable = (name) => name.replaceAll("_", " ");

/** its name with its unit */
export const titled = ({ name, unit }) => readable(name) + (unit ? ` (${unit})` : "");
