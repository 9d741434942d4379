// What the page asks of the service: the same routes that every client has, and two of its own.

import { withKey } from "./api_key.js";

/** @param {string|number} [version] */
export const modelPath = (model, version) =>
	`/v1/models/${encodeURIComponent(model)}${version ? `/versions/${version}` : ""}`;

/** @returns {Promise<Version>} */
export async function fetchVersion(model, version) {
	const response = await fetch(`/ui/models/${encodeURIComponent(model)}/versions/${version}`, { headers: withKey() });
	const body = await response.json();
	if (!response.ok) throw new Error(body.error);
	return body;
}

/** The body of a request. @param {string} name the signature's */
export function requestBody(signature, name, rows) {
	const named = name === "serving_default" ? {} : { signature_name: name };
	return signature.has_rows ? { ...named, instances: rows } : { ...named, inputs: rows[0] };
}

/** Ask a model. @returns {Promise<Answer>} */
export async function predict(target, rows) {
	const began = performance.now();
	const none = { ok: false, rows: [], details: {}, version: "", requestId: "" };
	let response;
	try {
		response = await fetch(`${modelPath(target.model, target.version)}:predict`, {
			method: "POST",
			headers: withKey({ "Content-Type": "application/json" }),
			body: JSON.stringify(requestBody(target.signature, target.name, rows)),
		});
	} catch {
		return { ...none, error: "The service cannot be reached.", seconds: 0 };
	}
	const body = await response.json().catch(() => ({ error: `The answer (${response.status}) is not JSON.` }));
	const answer = {
		...none,
		ok: response.ok,
		seconds: (performance.now() - began) / 1000,
		version: response.headers.get("X-Model-Version") || "",
		requestId: response.headers.get("X-Request-Id") || "",
		error: "",
	};
	if (!response.ok) return { ...answer, error: body.error || "", details: body.details || {} };
	return { ...answer, rows: readRows(target.signature, body) };
}

function readRows(signature, body) {
	const only = signature.outputs.length === 1 ? signature.outputs[0].name : "";
	if ("predictions" in body) {
		return body.predictions.map((row) => (only ? { [only]: row } : row));
	}
	return [only ? { [only]: body.outputs } : body.outputs];
}

/** Ask for many rows, in as many requests as the service's bounds demand. @param {{max_rows: number, max_body_bytes: number}} bounds @returns {Promise<Answer>} with the rows of all of them, or the first that failed */
export async function predictMany(target, rows, bounds) {
	const each = JSON.stringify(rows[0] ?? {}).length + 16;
	const most = Math.max(1, Math.min(bounds.max_rows, Math.floor((bounds.max_body_bytes * 0.8) / each)));
	const size = target.signature.has_rows ? most : 1;
	let whole = null;
	for (let start = 0; start < rows.length; start += size) {
		const part = await predict(target, rows.slice(start, start + size));
		if (!part.ok) return part;
		whole = whole ? { ...part, rows: [...whole.rows, ...part.rows], seconds: whole.seconds + part.seconds } : part;
	}
	return whole;
}
