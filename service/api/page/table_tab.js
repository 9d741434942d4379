// Many at once: CSV or pictures in, a table of answers out.

import { button, download, el, put, table } from "./dom.js";
import { predict } from "./api.js";
import { cellValue, parseCsv, toCsv } from "./csv.js";
import { takesFiles } from "./editor.js";
import { filePicker } from "./file_input.js";
import { brief, stringify } from "./json.js";
import { encoded, takesPictures } from "./pictures.js";

const CHUNK = 200;
const FILES_AT_ONCE = 16;
const MOST_SHOWN = 200;

/** @type {MakeTab} */
export function tableTab(model) {
	const { signatures } = model.version;
	const { names } = model.editor;
	const forFiles = names.find((name) => takesFiles(signatures[name]));
	const forRows = names.find((name) => signatures[name].has_rows && !signatures[name].inputs.some(takesPictures));
	const fields = signatures[forRows]?.inputs || [];
	// Answers stay when other versions serve, or another tab is opened.
	const { place, note } = (model.table ??= { place: el("div"), note: el("p.quiet", { role: "status" }) });
	function refuse(words) {
		note.textContent = "";
		put(place, el("p.notice.bad", { role: "alert" }, words));
	}
	function bring(files) {
		const [{ name }] = files;
		const [taken, take] = /\.[ct]sv$/i.test(name) ? [forRows, fromCsv] : [forFiles, fromFiles];
		if (taken) take(files);
		else refuse(`${name} is of a kind that the model does not take here.`);
	}
	const element = el("div.paper.stack.takes-files", { onfiles: ({ detail }) => bring(detail) },
		el("p", "Bring many inputs at once; the answers become a table that you can download.",
			fields.length > 0 && el("span", " A CSV file needs a header with ", el("code", fields.map(({ name }) => name).join(", ")), ".")),
		el("div.tools",
			forRows && filePicker("Choose a CSV file…", fromCsv, { accept: ".csv,.tsv,text/csv" }),
			forFiles && filePicker("Choose pictures…", fromFiles, { accept: "image/*", multiple: true }),
			forFiles && filePicker("Choose a folder…", fromFiles, { webkitdirectory: true }),
			model.versionChoice()),
		note, place);

	async function fromCsv([file]) {
		if (!file) return;
		const { header, rows } = parseCsv(await file.text());
		const missing = fields.filter(({ name, nullable, has_default }) => !header.includes(name) && !nullable && !has_default);
		if (missing.length) {
			return refuse(`The header lacks ${missing.map(({ name }) => name).join(", ")}; it has ${header.join(", ")}.`);
		}
		await run(forRows, file.name, CHUNK, rows.map(({ line, cells }) => {
			const pairs = fields.map((field) => [field.name, cellValue(field, cells[header.indexOf(field.name)])]);
			return { where: `line ${line}`, row: Object.fromEntries(pairs.filter(([, value]) => value !== undefined)) };
		}));
	}

	async function fromFiles(files) {
		if (!files.length) return;
		await run(forFiles, "pictures", FILES_AT_ONCE, files.map((file) => ({ where: file.webkitRelativePath || file.name, file })));
	}

	async function run(name, title, most, asked) {
		/** @type {Line[]} */
		const lines = asked.map((line) => ({ row: null, output: null, error: "", ...line }));
		const { max_rows, max_body_bytes } = model.overview.value;
		const target = { ...model.target(), name, signature: signatures[name] };
		const { inputs, outputs, rows_independent } = target.signature;
		const size = rows_independent ? Math.min(most, max_rows) : 1;
		let part;
		for (let start = 0; start < lines.length; start += part.length) {
			note.textContent = `${start} of ${lines.length} answered…`;
			part = lines.slice(start, start + size);
			// In base64, a file takes a third more.
			while (part.length > 1 && part.reduce((sum, { file }) => sum + (file?.size || 0), 0) * 1.4 > max_body_bytes) part = part.slice(0, part.length / 2);
			for (const line of part) if (line.file) line.row = { [inputs[0].name]: await encoded(line.file) };
			await answerAll(target, part.filter(({ row }) => row));
			// Hundreds of files stay on disk.
			for (const line of part) if (line.file) line.row = null;
		}
		const failed = lines.filter(({ error }) => error).length;
		note.textContent = `${lines.length - failed} of ${lines.length} answered${failed ? `, ${failed} with errors` : ""}.`;
		put(place, ...results(lines, name === forRows ? inputs : [], outputs, title));
	}

	return { element };
}

/** @type {AnswerAll} */
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
	const of = (fields, row) => fields.map(({ name }) => row?.[name]);
	const head = ["where", ...[...inputs, ...outputs].map(({ name }) => name), "error"];
	const cells = ({ where, row, output, error }) => [where, ...of(inputs, row), ...of(outputs, output), error];
	const file = `${title.replace(/\.[^.]*$/, "")}-answers.csv`;
	const save = button("Download the answers as CSV", () => download(file, toCsv([head, ...lines.map(cells)]), "text/csv"), { class: "main" });
	const shown = (value) => (typeof value === "number" ? String(brief(value, 6)) : typeof value === "object" && value ? stringify(value) : value);
	const rows = lines.slice(0, MOST_SHOWN).map(({ where, row, output, error }) =>
		[where, ...of(inputs, row).map(shown), ...(error ? [el("td.wrong", { colspan: outputs.length }, error)] : of(outputs, output).map(shown))]);
	return [save, el("div.results", table(head.slice(0, -1), rows, "Answers")),
		lines.length > MOST_SHOWN && el("p.quiet", `The first ${MOST_SHOWN} are shown; the file has all ${lines.length}.`)];
}
