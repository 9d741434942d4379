// The request that the page has just made, as code to copy.

import { announce, button, download, el } from "./dom.js";
import { modelPath, requestBody } from "./api.js";
import { takesPictures } from "./pictures.js";

// Longer bodies go into a file of their own.
const LONG = 1500;

const DATATYPES = {
	float16: "FP16", float32: "FP32", float64: "FP64", bfloat16: "FP32", bool: "BOOL", string: "BYTES",
};

/** a word of a shell */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function snippets(target, row, origin) {
	const url = `${origin}${modelPath(target.model, target.version)}:predict`;
	const body = JSON.stringify(requestBody(target.signature, target.name, [row]));
	const isLong = body.length > LONG;
	const field = target.signature.inputs[0];
	const isFile = target.signature.inputs.length === 1 && takesPictures(field);
	const curl = isFile
		? `curl -H 'Content-Type: ${field.content_types?.[0]}' --data-binary @picture.png \\\n  ${quoted(url)}`
		: `curl -d ${isLong ? "@request.json" : quoted(body)} \\\n  ${quoted(url)}`;
	const python = isLong
		? `import json\nimport urllib.request\n\nwith open("request.json", "rb") as file:\n    body = file.read()`
		: `import json\nimport urllib.request\n\nbody = json.dumps(${python_literal(JSON.parse(body))}).encode()`;
	const js = isLong
		? `import { readFile } from "node:fs/promises";\n\nconst body = await readFile("request.json");`
		: `const body = JSON.stringify(${body});`;
	return [
		{ title: "curl", code: curl },
		{ title: "Python", code: `${python}\nrequest = urllib.request.Request(\n    ${JSON.stringify(url)},\n    data=body,\n    headers={"Content-Type": "application/json"},\n)\nwith urllib.request.urlopen(request) as response:\n    print(json.load(response))` },
		{ title: "JavaScript", code: `${js}\nconst response = await fetch(${JSON.stringify(url)}, {\n  method: "POST",\n  headers: { "Content-Type": "application/json" },\n  body,\n});\nconsole.log(await response.json());` },
		{ title: "tritonclient", code: triton(target, row, origin, isLong) },
	];
}

function python_literal(value) {
	if (value === null) return "None";
	if (value === true) return "True";
	if (value === false) return "False";
	if (Array.isArray(value)) return `[${value.map(python_literal).join(", ")}]`;
	if (typeof value === "object") return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${python_literal(each)}`).join(", ")}}`;
	return JSON.stringify(value);
}

function triton({ model, version, name, signature }, row, origin, isLong) {
	const key = signature.has_rows ? `["instances"][0]` : `["inputs"]`;
	const lines = signature.inputs.filter((field) => field.name in row).flatMap((field) => {
		const datatype = DATATYPES[field.dtype] || field.dtype.toUpperCase();
		const kind = field.dtype === "string" ? "np.object_" : field.dtype === "bool" ? "np.bool_" : `np.${field.dtype === "bfloat16" ? "float32" : field.dtype}`;
		const value = row[field.name];
		const bytes = value?.b64 !== undefined;
		const written = isLong ? `values${key}[${JSON.stringify(field.name)}]` : value === null ? "np.nan" : python_literal(bytes ? value.b64 : value);
		const decoded = bytes ? `base64.b64decode(${isLong ? `${written}["b64"]` : written})` : written;
		return [
			`value = np.array(${signature.has_rows ? `[${decoded}]` : decoded}, dtype=${kind})`,
			`inputs.append(InferInput(${JSON.stringify(field.name)}, value.shape, "${datatype}"))`,
			`inputs[-1].set_data_from_numpy(value)`,
		];
	});
	const named = name === "serving_default" ? "" : `, parameters={"signature_name": ${JSON.stringify(name)}}`;
	const numbered = version ? `, model_version="${version}"` : "";
	const needsBase64 = lines.some((line) => line.includes("base64."));
	return [
		...(needsBase64 ? ["import base64"] : []), ...(isLong ? ["import json"] : []), ...(needsBase64 || isLong ? [""] : []),
		"import numpy as np", "from tritonclient.http import InferenceServerClient, InferInput", "",
		...(isLong ? [`values = json.load(open("request.json"))`] : []),
		"inputs = []", ...lines,
		`client = InferenceServerClient(${JSON.stringify(origin.replace(/^https?:\/\//, ""))})`,
		`answer = client.infer(${JSON.stringify(model)}, inputs${numbered}${named})`,
		"for output in answer.get_response()[\"outputs\"]:",
		"    print(output[\"name\"], answer.as_numpy(output[\"name\"]))",
	].join("\n");
}

/** The code as a part of the page. `current` returns the last request. */
export function snippetsView(current) {
	const place = el("div");
	const details = el("details", { ontoggle: () => { if (details.open) fill(); } },
		el("summary", "This request as code"), place);
	let chosen = 0;
	async function fill() {
		const { target, row } = await current();
		const made = snippets(target, row, location.origin);
		const body = JSON.stringify(requestBody(target.signature, target.name, [row]));
		const code = el("pre", { tabindex: "0", "aria-label": made[chosen].title, text: made[chosen].code });
		const buttons = made.map(({ title }, i) => el("button", {
			type: "button", "aria-pressed": String(i === chosen), text: title,
			onclick: () => { chosen = i; fill().then(() => place.querySelectorAll("button")[i].focus()); },
		}));
		const copy = button("Copy", async () => {
			try {
				await navigator.clipboard.writeText(made[chosen].code);
				announce(copy.textContent = "Copied");
			} catch {
				// Where the browser does not let pages copy, at least it is selected.
				getSelection()?.selectAllChildren(code);
			}
		});
		const save = code.textContent.includes("request.json")
			? button("Download request.json", () => download("request.json", body, "application/json"))
			: null;
		place.replaceChildren(el("div.tools", ...buttons), code, el("div.tools", copy, save));
	}
	return { element: details, refresh: () => { if (details.open) fill(); } };
}
