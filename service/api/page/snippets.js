// The request that the page has just made, as code to copy.

import { announce, button, download, el, put } from "./dom.js";
import { modelPath, requestBody } from "./api.js";
import { takesFiles } from "./editor.js";

// Longer bodies go into a file of their own.
const LONG = 1500;

const DATATYPES = {
	float16: "FP16", float32: "FP32", float64: "FP64", bfloat16: "FP32", bool: "BOOL", string: "BYTES",
};
const NUMPY_TYPES = { string: "object_", bool: "bool_", bfloat16: "float32" };

const quoted = JSON.stringify;

/** a word of a shell */
const shellWord = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param {boolean} needsKey whether the service asks for an API key: the code shows where it goes */
export function snippets(target, row, origin, needsKey) {
	const { model, version, name, signature } = target;
	const url = `${origin}${modelPath(model, version)}:predict`;
	const body = JSON.stringify(requestBody(signature, name, [row]));
	const isLong = body.length > LONG;
	const sent = takesFiles(signature)
		? `-H 'Content-Type: ${signature.inputs[0].content_types[0]}' --data-binary @picture.png`
		: `-d ${isLong ? "@request.json" : shellWord(body)}`;
	return [
		{ title: "curl", code: `curl ${needsKey ? "-H \"X-API-Key: $API_KEY\" " : ""}${sent} \\\n  ${shellWord(url)}` },
		{ title: "Python", code: `${needsKey ? "import os\n" : ""}import json
import urllib.request

${isLong ? `with open("request.json", "rb") as file:\n    body = file.read()` : `body = json.dumps(${pythonLiteral(JSON.parse(body))}).encode()`}
request = urllib.request.Request(
    ${quoted(url)},
    data=body,
    headers={"Content-Type": "application/json"${needsKey ? `, "X-API-Key": os.environ["API_KEY"]` : ""}},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response))` },
		{ title: "JavaScript", code: `${isLong ? `import { readFile } from "node:fs/promises";\n\nconst body = await readFile("request.json");` : `const body = JSON.stringify(${body});`}
const response = await fetch(${quoted(url)}, {
  method: "POST",
  headers: { "Content-Type": "application/json"${needsKey ? `, "X-API-Key": process.env.API_KEY` : ""} },
  body,
});
console.log(await response.json());` },
		{ title: "tritonclient", code: triton(target, row, origin, isLong, needsKey) },
	];
}

function pythonLiteral(value) {
	if (value === null) return "None";
	if (typeof value === "boolean") return value ? "True" : "False";
	if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
	if (typeof value === "object") return `{${Object.entries(value).map(([key, each]) => `${quoted(key)}: ${pythonLiteral(each)}`).join(", ")}}`;
	return quoted(value);
}

function triton({ model, version, name, signature: { inputs, has_rows } }, row, origin, isLong, needsKey) {
	const lines = inputs.filter((field) => field.name in row).flatMap((field) => {
		const value = row[field.name];
		const isFile = value?.b64 !== undefined;
		const written = isLong ? `values[${quoted(field.name)}]${isFile ? `["b64"]` : ""}` : value === null ? "np.nan" : pythonLiteral(isFile ? value.b64 : value);
		const decoded = isFile ? `base64.b64decode(${written})` : written;
		return [
			`value = np.array(${has_rows ? `[${decoded}]` : decoded}, dtype=np.${NUMPY_TYPES[field.dtype] || field.dtype})`,
			`inputs.append(InferInput(${quoted(field.name)}, value.shape, "${DATATYPES[field.dtype] || field.dtype.toUpperCase()}"))`,
			"inputs[-1].set_data_from_numpy(value)",
		];
	});
	const options = [
		version && `model_version="${version}"`,
		name !== "serving_default" && `parameters={"signature_name": ${quoted(name)}}`,
		needsKey && `headers={"X-API-Key": os.environ["API_KEY"]}`,
	].filter(Boolean).map((option) => `, ${option}`);
	const modules = [lines.some((line) => line.includes("base64.")) && "base64", isLong && "json", needsKey && "os"].filter(Boolean);
	return [
		...modules.map((module) => `import ${module}`), ...(modules.length ? [""] : []),
		"import numpy as np", "from tritonclient.http import InferenceServerClient, InferInput", "",
		...(isLong ? [`values = json.load(open("request.json"))${has_rows ? `["instances"][0]` : `["inputs"]`}`] : []),
		"inputs = []", ...lines,
		`client = InferenceServerClient(${quoted(origin.replace(/^https?:\/\//, ""))})`,
		`answer = client.infer(${quoted(model)}, inputs${options.join("")})`,
		`for output in answer.get_response()["outputs"]:`,
		`    print(output["name"], answer.as_numpy(output["name"]))`,
	].join("\n");
}

/** The code as a part of the page. */
export function snippetsView(model) {
	const place = el("div");
	const refresh = () => { if (element.open) fill(); };
	const element = el("details", { ontoggle: refresh }, el("summary", "This request as code"), place);
	let chosen = 0;
	async function fill() {
		const [target, row] = [model.target(), await model.editor.read()];
		const made = snippets(target, row, location.origin, model.overview.value.keys);
		const { title, code } = made[chosen];
		const shown = el("pre", { tabindex: "0", "aria-label": title }, code);
		const buttons = made.map((each, i) => button(each.title, async () => {
			chosen = i;
			await fill();
			place.querySelectorAll("button")[i].focus();
		}, { "aria-pressed": String(i === chosen) }));
		const copy = button("Copy", async () => {
			try {
				await navigator.clipboard.writeText(code);
				announce(copy.textContent = "Copied");
			} catch {
				// Where the browser does not let pages copy, at least it is selected.
				getSelection()?.selectAllChildren(shown);
			}
		});
		const save = () => download("request.json", JSON.stringify(requestBody(target.signature, target.name, [row])), "application/json");
		put(place, el("div.tools", ...buttons), shown,
			el("div.tools", copy, code.includes("request.json") && button("Download request.json", save)));
	}
	return { element, refresh };
}
