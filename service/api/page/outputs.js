// What a prediction says, by the contract of its outputs.

import { shortNumber } from "./dom.js";
import { isNumber } from "./json.js";

/** @returns {Reading} */
export function readOutputs({ outputs }, row) {
	const hasNumber = ({ name }) => isNumber(row[name]);
	const ending = (name, endings) => outputs.find((field) => endings.some((end) => field.name === name + end))?.name;
	const label = outputs.find((field) => field.choices?.length > 1);
	const found = label ? classesOf(label, outputs, row, hasNumber) : unnamedClasses(outputs, row);
	const { classes } = found;
	const used = new Set(found.used);
	const numbers = [];
	for (const field of outputs) {
		const { name } = field;
		const [low, high] = [ending(name, ["_low", "_lower"]), ending(name, ["_high", "_upper"])];
		if (used.has(name) || !hasNumber(field) || !low || !high) continue;
		[low, high, name].forEach((each) => used.add(each));
		numbers.push({ field, value: row[name], low: row[low], high: row[high] });
	}
	const others = [];
	for (const field of outputs.filter(({ name }) => !used.has(name))) {
		const value = row[field.name];
		if (hasNumber(field) && found.label === null) numbers.push({ field, value, low: null, high: null });
		else others.push({ field, value });
	}
	return { classes, label: found.label, numbers, others };
}

const isDistribution = (value) => Array.isArray(value) && value.length > 1 && value.every((each) => each >= 0)
	&& Math.abs(value.reduce((sum, each) => sum + Number(each), 0) - 1) < 1e-3;

/** Without names for its classes, a distribution over them is shown by their numbers. */
function unnamedClasses(outputs, row) {
	const vector = outputs.find(({ name }) => isDistribution(row[name]));
	if (!vector) return { classes: [], label: null, used: [] };
	const classes = row[vector.name].map((share, i) => ({ name: `class ${i}`, share }));
	return { classes, label: topClass({ classes, label: null }), used: [vector.name] };
}

function classesOf(field, outputs, row, hasNumber) {
	const names = field.choices.map(String);
	const label = String(row[field.name]);
	const vector = outputs.find(({ name }) => Array.isArray(row[name]) && row[name].length === names.length && row[name].every(Number.isFinite));
	const single = outputs.find((each) => each.dtype.includes("float") && each.minimum === 0 && each.maximum === 1 && hasNumber(each));
	// The class' number and the probability of the class say nothing beyond the bars.
	const numbers = outputs.filter((each) => hasNumber(each) && each.dtype.includes("int") && names[row[each.name]] === label);
	const shown = vector || single ? [field, vector, single, ...numbers] : [field];
	const used = shown.flatMap((each) => each?.name ?? []);
	const share = single && row[single.name];
	// One number for two classes: it is the second's, unless that contradicts the label.
	const ofSecond = share >= 0.5 && label === names[0] ? 1 - share : share;
	const shares = vector ? row[vector.name] : names.length === 2 ? [1 - ofSecond, ofSecond] : null;
	const classes = !vector && !single ? [] : shares ? names.map((name, i) => ({ name, share: shares[i] })) : [{ name: label, share }];
	return { classes, label, used };
}

/** The one number that explanations follow: the share of a class, or the first number. */
export function target({ classes, numbers }, name) {
	if (classes.length) return classes.find((each) => each.name === name)?.share ?? 0;
	return numbers.length ? Number(numbers[0].value) : null;
}

/** @returns {string|null} the class that is most probable */
export const topClass = ({ classes, label }) => [...classes].sort((a, b) => b.share - a.share)[0]?.name ?? label;

/** @param {Reading} reading the answer in a few words */
export function inWords({ label, numbers }) {
	return label ?? numbers.map(({ field, value }) => `${field.name} ${shortNumber(value)} ${field.unit || ""}`.trim()).join(", ");
}
