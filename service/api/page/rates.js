// Rates and quantiles from counters that are read again and again.

export const WINDOW_S = 30;

/** Sum what changed between two readings; counters that went back began anew. */
export function difference(before, after) {
	/** @type {Times} */
	const total = { requests: 0, failures: 0, buckets: [] };
	for (const [version, now] of Object.entries(after.times)) {
		const then = before.times[version];
		const begun = !then || then.requests > now.requests;
		total.requests += now.requests - (begun ? 0 : then.requests);
		total.failures += Math.max(0, now.failures - (begun ? 0 : then.failures));
		now.buckets.forEach((count, i) => {
			total.buckets[i] = (total.buckets[i] || 0) + Math.max(0, count - (begun ? 0 : then.buckets[i] || 0));
		});
	}
	return total;
}

/** Estimate a quantile of a histogram, evenly spread within its bucket. In the bounds' unit; null of nothing. */
export function quantile(counts, bounds, share) {
	const total = counts.reduce((sum, count) => sum + count, 0);
	if (!total) return null;
	let seen = 0;
	for (let i = 0; i < counts.length; i++) {
		if (seen + counts[i] >= share * total && counts[i]) {
			const low = i ? bounds[i - 1] : 0;
			const high = bounds[i] ?? low;
			return low + (high - low) * ((share * total - seen) / counts[i]);
		}
		seen += counts[i];
	}
	return bounds[bounds.length - 1];
}

/** The readings of one model over the last seconds. */
export class History {
	constructor() {
		/** @type {Counts[]} */
		this.readings = [];
		/** @type {number[]} requests a second between readings, the latest last */
		this.rates = [];
	}

	add(at, times) {
		const last = this.readings[this.readings.length - 1];
		if (last && at > last.at) {
			this.rates.push(difference(last, { at, times }).requests / (at - last.at));
			if (this.rates.length > 60) this.rates.shift();
		}
		this.readings.push({ at, times });
		while (this.readings.length > 2 && this.readings[1].at <= at - WINDOW_S) this.readings.shift();
	}

	/** @returns {Rates} */
	figures(bounds) {
		const [first, last] = [this.readings[0], this.readings[this.readings.length - 1]];
		if (!first || first === last) return { rate: 0, failures: 0, requests: 0, p50: null, p99: null };
		const change = difference(first, last);
		// The rate of the last seconds: it must move when the load does.
		const recent = this.readings.find((reading) => reading.at >= last.at - 5) || first;
		const span = last.at - recent.at;
		return {
			rate: span > 0 ? difference(recent, last).requests / span : 0,
			failures: change.failures,
			requests: change.requests,
			p50: quantile(change.buckets, bounds, 0.5),
			p99: quantile(change.buckets, bounds, 0.99),
		};
	}
}
