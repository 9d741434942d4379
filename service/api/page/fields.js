// Which control a field of a contract gets.

import { el, newId } from "./dom.js";
import { numberInput } from "./number_input.js";
import { choiceInput, flagInput } from "./choice_input.js";
import { jsonInput, textInput } from "./text_input.js";
import { fileInput } from "./file_input.js";
import { pictureInput } from "./picture_input.js";
import { takesPictures } from "./pictures.js";

/** @param {InputContext} context @returns {Input} */
function inputFor(field, context) {
	const shape = field.shape && (context.hasRows ? field.shape.slice(1) : field.shape);
	if (field.content_types?.length) {
		return takesPictures(field) && shape?.length === 0 ? pictureInput(field, context) : fileInput(field, context);
	}
	if (field.picture) return pictureInput(field, context);
	if (!shape || shape.length) return jsonInput(field, shape, context);
	if (field.choices?.length) return choiceInput(field, context);
	if (field.dtype === "bool") return flagInput(field, context);
	if (field.dtype === "string") return textInput(field, context);
	return numberInput(field, context);
}

/** An input with its name, meaning, and what is wrong with it. @param {InputContext} context */
export function labelledInput(field, context) {
	const input = inputFor(field, context);
	const { control } = input;
	const [id, hint, problem] = [newId(), newId(), el("p.problem", { id: newId() })];
	// A switch for what may be unknown, or be left to the model.
	const absent = (field.nullable || field.has_default) && el("input", {
		type: "checkbox", role: "switch", checked: field.has_default, onchange: () => { toggle(); context.change(); },
	});
	function toggle() {
		if (absent) input.element.hidden = absent.checked;
	}
	const element = el("div.field", { role: "group", "aria-labelledby": id, "data-field": field.name },
		el("div.row.apart",
			el("label.name", { id, for: control.id || null }, titled(field)),
			absent && el("label.switch", absent, field.has_default ? "as the model has it" : "unknown")),
		field.description && el("p.hint", { id: hint }, field.description),
		input.element, problem);
	control.setAttribute("aria-describedby", field.description ? `${hint} ${problem.id}` : problem.id);
	const start = field.example ?? context.examples[0] ?? input.fallback;
	if (start !== undefined && !context.isBlank) input.write(start);
	toggle();
	return {
		field, element, take: input.take,
		async read() {
			if (absent?.checked) return field.has_default ? undefined : null;
			return input.read();
		},
		write(value) {
			const isAbsent = value === null || value === undefined;
			if (absent) absent.checked = isAbsent;
			toggle();
			if (!isAbsent) input.write(value);
		},
		show(messages) {
			problem.textContent = messages.join(" ");
			element.classList.toggle("wrong", messages.length > 0);
			control.ariaInvalid = String(messages.length > 0);
		},
	};
}

/** a tensor's name as a person would write it */
export const readable = (name) => name.replaceAll("_", " ");

/** its name with its unit */
export const titled = ({ name, unit }) => readable(name) + (unit ? ` (${unit})` : "");
