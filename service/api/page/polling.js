// One request a second for all that moves on the page, and nothing while it is not looked at.

import { withKey } from "./api_key.js";
import { History } from "./rates.js";

const PAUSE_MS = 1000;

/** Fires "change" when something may look different now. */
export class Overview extends EventTarget {
	constructor() {
		super();
		/** @type {any} the last overview */
		this.value = null;
		/** @type {Map<string, History>} by model */
		this.histories = new Map();
		this.reachable = true;
		/** whether the service answers again, as it did not the last time */
		this.hasReturned = false;
		/** whether the service asks for an API key */
		this.asksForKey = false;
		this.etag = "";
	}

	start() {
		const again = async () => {
			if (!document.hidden) await this.poll();
			setTimeout(again, PAUSE_MS);
		};
		return again();
	}

	/** Ask once. What has not changed is not sent again. */
	async poll() {
		try {
			const headers = withKey({ "If-None-Match": this.etag });
			const response = await fetch("/ui/overview", { headers, cache: "no-store", signal: AbortSignal.timeout(10_000) });
			if (response.status === 200) {
				this.value = await response.json();
				this.etag = response.headers.get("ETag") || "";
			} else if (![304, 401].includes(response.status)) {
				throw new Error(`status ${response.status}`);
			}
			this.asksForKey = response.status === 401 || this.value.keys;
			this.hasReturned = !this.reachable;
			this.reachable = true;
			if (response.status !== 401) this.note();
		} catch {
			this.reachable = false;
		}
		this.dispatchEvent(new Event("change"));
	}

	note() {
		const at = performance.now() / 1000;
		for (const model of this.value.models) {
			let history = this.histories.get(model.name);
			if (!history) this.histories.set(model.name, (history = new History()));
			history.add(at, model.times);
		}
	}

	/** a model's part of the overview, if there is one */
	model(name) {
		return this.value?.models.find((model) => model.name === name);
	}

	figures(name) {
		return (this.histories.get(name) || new History()).figures(this.value.bounds);
	}
}
