// CSV, as RFC 4180 and spreadsheets write it.

import { numberIn, parse, stringify } from "./json.js";

/** Lines count from 1. */
export function parseCsv(text) {
	const [head] = text.split(/\r?\n/, 1);
	const separator = [",", ";", "\t"].sort((a, b) => head.split(b).length - head.split(a).length)[0];
	const rows = [];
	let cells = [];
	let [cell, quoted, line, first] = ["", false, 1, 1];
	const end = () => {
		cells.push(cell);
		if (cells.length > 1 || cells[0].trim() !== "") rows.push({ line: first, cells });
		[cells, cell] = [[], ""];
	};
	const plain = text.replace(/^\ufeff/, "");
	for (let i = 0; i < plain.length; i++) {
		const letter = plain[i];
		if (letter === "\n") line += 1;
		if (quoted) {
			if (letter === '"' && plain[i + 1] === '"') cell += plain[++i];
			else if (letter === '"') quoted = false;
			else cell += letter;
		} else if (letter === '"' && cell === "") quoted = true;
		else if (letter === separator) { cells.push(cell); cell = ""; }
		else if (letter === "\n") { end(); first = line; }
		else if (letter !== "\r") cell += letter;
	}
	end();
	const header = rows.shift()?.cells.map((name) => name.trim()) || [];
	return { header, rows };
}

export const toCsv = (lines) => lines.map((cells) => cells.map(cellText).join(",")).join("\r\n") + "\r\n";

function cellText(value) {
	const text = value === null || value === undefined ? "" : typeof value === "object" ? stringify(value) : String(value);
	// A spreadsheet would take it for a formula.
	const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
	return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @type {CellValue} */
export function cellValue(field, cell) {
	const text = (cell ?? "").trim();
	if (text === "" && (field.nullable || field.has_default)) return field.has_default ? undefined : null;
	if (field.shape?.length !== 1) {
		try { return parse(text); } catch { return text; }
	}
	if (field.dtype === "string") return cell ?? "";
	if (field.dtype === "bool") return /^(true|1|yes)$/i.test(text) ? true : /^(false|0|no)$/i.test(text) ? false : text;
	return numberIn(text);
}
