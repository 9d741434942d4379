// One request a second for all that moves on the page, and nothing while it is not looked at.

import { asker } from "./api.js";
import { withKey } from "./api_key.js";
import { changes } from "./dom.js";
import { parse } from "./json.js";
import { History } from "./rates.js";

const PAUSE_MS = 1000;

/** Asks whenever it is called, but one at a time, and shows what is new. */
export function poller(ask, show) {
	const isNew = changes();
	return asker(async () => {
		const reply = await ask();
		if (isNew(reply)) show(reply);
	}).now;
}

/** Fires "change" when something may look different now. */
export class Overview extends EventTarget {
	/** @type {any} the last overview */
	value = null;
	/** by model */
	histories = new Map();
	reachable = true;
	/** whether the service answers again, as it did not the last time */
	hasReturned = false;
	asksForKey = false;
	etag = "";

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
				this.value = parse(await response.text());
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
		for (const { name, times } of this.value.models) {
			this.history(name).add(performance.now() / 1000, times);
		}
	}

	/** a model's part of the overview, if there is one */
	model(name) {
		return this.value?.models.find((model) => model.name === name);
	}

	/** @returns {History} */
	history(name) {
		if (!this.histories.has(name)) this.histories.set(name, new History());
		return this.histories.get(name);
	}

	figures(name) {
		return this.history(name).figures(this.value.bounds);
	}
}
