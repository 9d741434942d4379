// Rows that differ a little from one input, and what each of them stands for.

import { asPng, context, drawFile, newCanvas, takesPictures } from "./pictures.js";

// Patches across a picture. Of files there are fewer, since each is packed anew.
const PATCHES = { array: 14, file: 8 };
const FILE_SIZE = 96;
// Longer texts are taken apart into groups of words.
const MOST_WORDS = 200;
const CURVE_POINTS = 25;
const MOST_CURVES = 40;

/** @type {PlanFor} */
export async function planFor(signature, row) {
	if (!signature.has_rows) return null;
	for (const field of signature.inputs) {
		const value = row[field.name];
		if (field.picture && Array.isArray(value)) return occludedArray(row, field.name, value, field.picture.size);
		if (takesPictures(field) && value?.b64 !== undefined) return occludedFile(row, field.name, value);
	}
	const text = signature.inputs.find((field) => field.dtype === "string" && !field.choices && field.shape?.length === 1 && row[field.name]);
	if (text && signature.inputs.length === 1) return withoutWords(row, text.name);
	return oneAtATime(signature, row);
}

/** @type {Patches} */
function patches(size, across) {
	const ends = (i) => [Math.max(0, Math.floor(((i - 0.5) * size) / across)), Math.min(size, Math.ceil(((i + 1.5) * size) / across))];
	return Array.from({ length: across * across }, (_, i) => [...ends(Math.floor(i / across)), ...ends(i % across)]);
}

/** @returns {Plan} */
function occludedArray(row, name, value, size) {
	const across = Math.min(PATCHES.array, size);
	const ground = value[0][0];
	const without = ([top, bottom, left, right]) =>
		value.map((line, y) => (y < top || y >= bottom ? line : line.map((pixel, x) => (x < left || x >= right ? pixel : ground))));
	const rows = patches(size, across).map((patch) => ({ ...row, [name]: without(patch) }));
	return { kind: "picture", rows: [row, ...rows], across, canvas: null };
}

/** @returns {Promise<Plan|null>} */
async function occludedFile(row, name, file) {
	const across = PATCHES.file;
	const [whole] = newCanvas(FILE_SIZE);
	if (!(await drawFile(whole, file))) return null;
	const [canvas, drawing] = newCanvas(FILE_SIZE);
	const corner = context(whole).getImageData(0, 0, 1, 1).data;
	drawing.fillStyle = `rgb(${corner.slice(0, 3).join(" ")})`;
	const rows = patches(FILE_SIZE, across).map(([top, bottom, left, right]) => {
		drawing.drawImage(whole, 0, 0);
		drawing.fillRect(left, top, right - left, bottom - top);
		return { ...row, [name]: asPng(canvas) };
	});
	return { kind: "picture", rows: [{ ...row, [name]: asPng(whole) }, ...rows], across, canvas: whole };
}

/** @returns {Plan} */
function withoutWords(row, name) {
	const parts = String(row[name]).split(/(\s+)/).filter(Boolean);
	const words = parts.flatMap((part, i) => (/\S/.test(part) ? [i] : []));
	const size = Math.ceil(words.length / MOST_WORDS);
	const groups = [];
	for (let i = 0; i < words.length; i += size) groups.push(new Set(words.slice(i, i + size)));
	const places = parts.map((_, i) => groups.findIndex((group) => group.has(i)));
	const rows = groups.map((group) => ({ ...row, [name]: parts.filter((_, i) => !group.has(i)).join("").trim() }));
	return { kind: "words", rows: [row, ...rows], parts, places };
}

/** @returns {Plan|null} */
function oneAtATime(signature, row) {
	const rows = [row];
	const fields = [];
	for (const field of signature.inputs) {
		const whole = row[field.name];
		const isVector = field.shape?.length === 2 && Array.isArray(whole);
		if (field.shape?.length !== 1 && !isVector) continue;
		(isVector ? whole : [whole]).slice(0, MOST_CURVES).forEach((now, i) => {
			const values = valuesOf(field, now);
			if (values.length < 2) return;
			fields.push({ field: isVector ? { ...field, name: `${field.name}[${i}]` } : field, values, start: rows.length, now });
			rows.push(...values.map((value) => ({ ...row, [field.name]: isVector ? whole.with(i, value) : value })));
		});
	}
	return fields.length ? { kind: "curves", rows, fields } : null;
}

function valuesOf(field, now) {
	if (field.choices?.length) return field.choices.slice(0, 30);
	if (field.dtype === "bool") return [false, true];
	if (field.dtype === "string") return [];
	const around = Number(now) || 0;
	// Half of it, so that what must be positive stays so.
	const reach = Math.abs(around) / 2 || 1;
	const [least, most] = (field.limits ?? [-Infinity, Infinity]).map(Number);
	const low = Number(field.minimum ?? Math.max(least, around - reach));
	const high = Number(field.maximum ?? Math.min(most, around + reach));
	const isWhole = field.dtype.includes("int");
	const points = isWhole ? Math.min(CURVE_POINTS, high - low + 1) : CURVE_POINTS;
	const values = Array.from({ length: points }, (_, i) => low + ((high - low) * i) / (points - 1 || 1));
	return isWhole ? [...new Set(values.map(Math.round))] : values.map((value) => Number(value.toPrecision(6)));
}
