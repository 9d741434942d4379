// What the page asks of the service.

import { withKey } from "./api_key.js";
import { parse, stringify } from "./json.js";

export const modelPath = (model, version) =>
	`/v1/models/${encodeURIComponent(model)}${version ? `/versions/${version}` : ""}`;

/** What the service has of a version for this page alone. */
export const uiPath = (model, version) => `/ui/models/${encodeURIComponent(model)}/versions/${version}`;

/** @type {Send} */
export async function send(path, { method = "POST", body, headers } = { method: "GET" }) {
	const response = await fetch(path, {
		method, headers: withKey({ ...headers, ...(body ? { "Content-Type": "application/json" } : {}) }), body: body && stringify(body),
	}).catch(() => null);
	const value = await response?.text().then(parse).catch(() => null);
	const ok = Boolean(response?.ok && value);
	const error = !response ? "The service cannot be reached." : ok ? "" : value?.error || `The answer (${response.status}) is not JSON.`;
	return { ok, value, error, details: value?.details || {}, header: (name) => response?.headers.get(name) || "" };
}

const mapped = (row, of) => Object.fromEntries(Object.entries(row).map(of));

function requestBody({ has_rows, is_whole }, name, rows) {
	const named = name === "serving_default" ? {} : { signature_name: name };
	const [inputs] = rows;
	return { ...named, ...(is_whole ? { inputs: mapped(inputs, ([field, value]) => [field, [value]]) } : has_rows ? { instances: rows } : { inputs }) };
}

/** @type {Predict} */
export async function predict(target, rows) {
	const { model, version, name, signature } = target;
	const began = performance.now();
	const { ok, value, error, details, header } = await send(`${modelPath(model, version)}:predict`, { body: requestBody(signature, name, rows) });
	if (rows.length === 1 && error.includes("; send 'inputs'")) {
		signature.is_whole = true;
		return predict(target, rows);
	}
	return {
		ok, error, details: signature.is_whole ? mapped(details, ([path, words]) => [path.replace("[0]", ""), words]) : details,
		rows: ok ? readRows(signature, value) : [],
		seconds: (performance.now() - began) / 1000,
		version: header("X-Model-Version"),
		requestId: header("X-Request-Id"),
	};
}

function readRows({ outputs, is_whole }, body) {
	const named = (values) => (outputs.length === 1 ? { [outputs[0].name]: values } : values);
	if ("predictions" in body) return body.predictions.map(named);
	const row = named(body.outputs);
	return [is_whole ? mapped(row, ([name, value]) => [name, value.length === 1 ? value[0] : value]) : row];
}

/** @type {PredictMany} */
export async function predictMany(target, rows, bounds) {
	const each = stringify(rows[0] ?? {}).length + 16;
	const most = Math.max(1, Math.min(bounds.max_rows, Math.floor((bounds.max_body_bytes * 0.8) / each)));
	const size = target.signature.rows_independent ? most : 1;
	let whole;
	for (let start = 0; start < rows.length; start += size) {
		const part = await predict(target, rows.slice(start, start + size));
		if (!part.ok) return part;
		whole = whole ? { ...part, rows: [...whole.rows, ...part.rows], seconds: whole.seconds + part.seconds } : part;
	}
	return /** @type {Answer} */ (whole);
}

/** @type {MakeAsker} */
export function asker(ask) {
	let [timer, isRunning, isWanted] = [0, false, false];
	async function now() {
		clearTimeout(timer);
		isWanted = true;
		if (isRunning) return;
		isRunning = true;
		try {
			while (isWanted) {
				isWanted = false;
				await ask();
			}
		} finally {
			isRunning = false;
		}
	}
	function soon() {
		clearTimeout(timer);
		timer = setTimeout(now, 120);
	}
	return { now, soon };
}
