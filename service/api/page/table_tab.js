// Many at once: CSV or pictures in, a table of answers out.

import { button, download, el } from "./dom.js";
import { predict } from "./api.js";
import { cellValue, parseCsv, toCsv } from "./csv.js";
import { encoded, takesPictures } from "./pictures.js";

const CHUNK = 200;
const FILES_AT_ONCE = 16;
const MOST_SHOWN = 200;

/** @type {MakeTab} */
export function tableTab(model) {
	const { signatures } = model.version;
	const { names } = model.editor;
	const forFiles = names.find((name) => signatures[name].inputs.length === 1 && takesPictures(signatures[name].inputs[0]));
	const forRows = names.find((name) => signatures[name].has_rows && !signatures[name].inputs.some(takesPictures));
	const place = el("div");
	const told = el("p.quiet", { role: "status" });
	const picker = (text, props, take) => {
		const input = el("input", { type: "file", hidden: true, "aria-label": text, ...props, onchange: () => { take([...input.files]); input.value = ""; } });
		return el("span", button(text, () => input.click()), input);
	};
	const columns = forRows ? signatures[forRows].inputs.map((field) => field.name) : [];
	const bring = (files) => (/\.[ct]sv$/i.test(files[0].name) ? fromCsv(files[0]) : fromFiles(files));
	const element = el("div.paper.stack.takes-files", { onfiles: (event) => bring(event.detail) },
		el("p", "Bring many inputs at once; the answers become a table that you can download.",
			columns.length ? el("span", " A CSV file needs a header with ", el("code", columns.join(", ")), ".") : null),
		el("div.tools",
			forRows ? picker("Choose a CSV file…", { accept: ".csv,.tsv,text/csv" }, ([file]) => fromCsv(file)) : null,
			forFiles ? picker("Choose pictures…", { accept: "image/*", multiple: true }, fromFiles) : null,
			forFiles ? picker("Choose a folder…", { webkitdirectory: true }, fromFiles) : null,
			model.versionChoice()),
		told, place);

	async function fromCsv(file) {
		if (!file || !forRows) return;
		const { header, rows } = parseCsv(await file.text());
		const fields = signatures[forRows].inputs;
		const missing = fields.filter((field) => !header.includes(field.name) && !field.nullable && !field.has_default);
		if (missing.length) {
			place.replaceChildren(el("p.notice.bad", { role: "alert", text: `The header lacks ${missing.map((field) => field.name).join(", ")}; it has ${header.join(", ")}.` }));
			return;
		}
		const lines = rows.map(({ line, cells }) => {
			const pairs = fields.map((field) => [field.name, cellValue(field, cells[header.indexOf(field.name)])]);
			return { where: `line ${line}`, row: Object.fromEntries(pairs.filter(([, value]) => value !== undefined)), output: null, error: "" };
		});
		await run(forRows, lines, CHUNK, fields.map((field) => field.name), file.name);
	}

	async function fromFiles(files) {
		if (!forFiles || !files.length) return;
		const lines = files.map((file) => ({ where: file.webkitRelativePath || file.name, row: null, file, output: null, error: "" }));
		await run(forFiles, lines, FILES_AT_ONCE, [], "pictures");
	}

	async function run(name, lines, most, inputs, title) {
		const { max_rows, max_body_bytes } = model.overview.value;
		const target = { ...model.target(), name, signature: signatures[name] };
		const size = target.signature.rows_independent ? Math.min(most, max_rows) : 1;
		let part;
		for (let start = 0; start < lines.length; start += part.length) {
			told.textContent = `${start} of ${lines.length} answered…`;
			part = lines.slice(start, start + size);
			// In base64, a file takes a third more.
			while (part.length > 1 && part.reduce((sum, { file }) => sum + (file?.size || 0), 0) * 1.4 > max_body_bytes) part = part.slice(0, part.length / 2);
			for (const line of part) {
				if (line.file) line.row = { [target.signature.inputs[0].name]: await encoded(line.file) };
			}
			await answerAll(target, part.filter((line) => line.row));
			// Hundreds of files stay on disk.
			for (const line of part) if (line.file) line.row = null;
		}
		const failed = lines.filter((line) => line.error).length;
		told.textContent = `${lines.length - failed} of ${lines.length} answered${failed ? `, ${failed} with errors` : ""}.`;
		place.replaceChildren(...results(lines, inputs, target.signature.outputs.map((field) => field.name), title));
	}

	return { element, ask: () => {} };
}

/** Ask for lines; those that are refused get the service's words, and the others are asked without them. */
async function answerAll(target, lines) {
	let left = lines;
	while (left.length) {
		const answer = await predict(target, left.map((line) => line.row));
		if (answer.ok) {
			left.forEach((line, i) => { line.output = answer.rows[i]; });
			return;
		}
		const before = left;
		for (const [path, messages] of Object.entries(answer.details)) {
			const [, number, field] = /^instances\[(\d+)\]\.?(.*)$/.exec(path) || [];
			const line = before[number];
			if (line) line.error = `${line.error} ${field && `${field}: `}${messages.join(" ")}`.trim();
		}
		left = before.filter((line) => !line.error);
		if (left.length === before.length) {
			// Nothing says which line it is.
			for (const line of left) line.error = answer.error;
			return;
		}
	}
}

function results(lines, inputs, outputs, title) {
	const head = ["where", ...inputs, ...outputs, "error"];
	const cells = (line) => [line.where, ...inputs.map((name) => line.row?.[name]), ...outputs.map((name) => line.output?.[name]), line.error];
	const file = `${title.replace(/\.[^.]*$/, "")}-answers.csv`;
	const save = button("Download the answers as CSV", () => download(file, toCsv([head, ...lines.map(cells)]), "text/csv"), { class: "main" });
	const shown = (value) => (typeof value === "number" ? Number(value.toPrecision(6)) : typeof value === "object" && value ? JSON.stringify(value) : value ?? "");
	const table = el("table", el("thead", el("tr", ...head.slice(0, -1).map((name) => el("th", { scope: "col", text: name })))),
		el("tbody", ...lines.slice(0, MOST_SHOWN).map((line) => {
			const all = cells(line).map((value) => el("td", shown(value)));
			const answered = line.error ? [el("td.wrong", { colspan: outputs.length, text: line.error })] : all.slice(-1 - outputs.length, -1);
			return el("tr", ...all.slice(0, 1 + inputs.length), ...answered);
		})));
	return [save, el("div.results", { tabindex: "0", role: "region", "aria-label": "Answers" }, table),
		...(lines.length > MOST_SHOWN ? [el("p.quiet", `The first ${MOST_SHOWN} are shown; the file has all ${lines.length}.`)] : [])];
}
