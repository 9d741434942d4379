// What the page asks of the service.

import { withKey } from "./api_key.js";

export const modelPath = (model, version) =>
	`/v1/models/${encodeURIComponent(model)}${version ? `/versions/${version}` : ""}`;

/** @returns {Promise<Version>} */
export async function fetchVersion(model, version) {
	const response = await fetch(`/ui/models/${encodeURIComponent(model)}/versions/${version}`, { headers: withKey() });
	const body = await response.json();
	if (!response.ok) throw new Error(body.error);
	return body;
}

export function requestBody(signature, name, rows) {
	const named = name === "serving_default" ? {} : { signature_name: name };
	return signature.has_rows ? { ...named, instances: rows } : { ...named, inputs: rows[0] };
}

/** Ask a model. @returns {Promise<Answer>} */
export async function predict(target, rows) {
	const began = performance.now();
	const none = { ok: false, rows: [], details: {}, version: "", requestId: "" };
	const response = await fetch(`${modelPath(target.model, target.version)}:predict`, {
		method: "POST",
		headers: withKey({ "Content-Type": "application/json" }),
		body: JSON.stringify(requestBody(target.signature, target.name, rows)),
	}).catch(() => null);
	if (!response) return { ...none, error: "The service cannot be reached.", seconds: 0 };
	const body = await response.json().catch(() => null);
	const answer = {
		...none,
		ok: response.ok && body !== null,
		seconds: (performance.now() - began) / 1000,
		version: response.headers.get("X-Model-Version") || "",
		requestId: response.headers.get("X-Request-Id") || "",
		error: "",
	};
	if (!answer.ok) return { ...answer, error: body?.error || `The answer (${response.status}) is not JSON.`, details: body?.details || {} };
	return { ...answer, rows: readRows(target.signature, body) };
}

function readRows(signature, body) {
	const { outputs } = signature;
	const named = (values) => (outputs.length === 1 ? { [outputs[0].name]: values } : values);
	return "predictions" in body ? body.predictions.map(named) : [named(body.outputs)];
}

/** Ask for many rows, in as many requests as the bounds demand; one by one where rows may depend on each other. @returns {Promise<Answer>} of all, or the first that failed */
export async function predictMany(target, rows, bounds) {
	const each = JSON.stringify(rows[0] ?? {}).length + 16;
	const most = Math.max(1, Math.min(bounds.max_rows, Math.floor((bounds.max_body_bytes * 0.8) / each)));
	const size = target.signature.rows_independent ? most : 1;
	/** @type {any} */
	let whole = null;
	for (let start = 0; start < rows.length; start += size) {
		const part = await predict(target, rows.slice(start, start + size));
		if (!part.ok) return part;
		whole = whole ? { ...part, rows: [...whole.rows, ...part.rows], seconds: whole.seconds + part.seconds } : part;
	}
	return whole;
}
