// What the page asks of the service.

import { withKey } from "./api_key.js";
import { parse, stringify } from "./json.js";

export const modelPath = (model, version) =>
	`/v1/models/${encodeURIComponent(model)}${version ? `/versions/${version}` : ""}`;

/** What the service has of a version for this page alone. */
export const uiPath = (model, version) => `/ui/models/${encodeURIComponent(model)}/versions/${version}`;

/** Ask for JSON; with a body, send that. `error` is the service's, or that it cannot be reached. @returns {Promise<Reply>} */
export async function send(path, { method = "POST", body, headers } = /** @type {Sent} */ ({ method: "GET" })) {
	const response = await fetch(path, {
		method, headers: withKey({ ...headers, ...(body ? { "Content-Type": "application/json" } : {}) }), body: body && stringify(body),
	}).catch(() => null);
	const value = await response?.text().then(parse).catch(() => null);
	const ok = Boolean(response?.ok && value);
	const error = !response ? "The service cannot be reached." : ok ? "" : value?.error || `The answer (${response.status}) is not JSON.`;
	return { ok, value, error, details: value?.details || {}, header: (name) => response?.headers.get(name) || "" };
}

function requestBody(signature, name, rows) {
	const named = name === "serving_default" ? {} : { signature_name: name };
	return signature.has_rows ? { ...named, instances: rows } : { ...named, inputs: rows[0] };
}

/** Ask a model. @returns {Promise<Answer>} */
export async function predict({ model, version, name, signature }, rows) {
	const began = performance.now();
	const { ok, value, error, details, header } = await send(`${modelPath(model, version)}:predict`, { body: requestBody(signature, name, rows) });
	return {
		ok, error, details,
		rows: ok ? readRows(signature, value) : [],
		seconds: (performance.now() - began) / 1000,
		version: header("X-Model-Version"),
		requestId: header("X-Request-Id"),
	};
}

function readRows({ outputs }, body) {
	const named = (values) => (outputs.length === 1 ? { [outputs[0].name]: values } : values);
	return "predictions" in body ? body.predictions.map(named) : [named(body.outputs)];
}

/** Ask for many rows, in as many requests as the bounds demand; one by one where rows may depend on each other. @returns {Promise<Answer>} of all, or the first that failed */
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

/** Asks while somebody types or draws: the latest input, one at a time. @param {() => Promise<unknown>} ask */
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
