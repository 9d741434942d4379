// Rates and quantiles from counters that are read again and again.

export const WINDOW_S = 30;

/** @type {Times} */
const NOTHING = { requests: 0, failures: 0, buckets: [] };

/** Sum what changed between two readings; counters that went back began anew. */
function difference(before, after) {
	const total = structuredClone(NOTHING);
	for (const [version, now] of Object.entries(after.times)) {
		const known = before.times[version];
		const then = known?.requests <= now.requests ? known : NOTHING;
		total.requests += now.requests - then.requests;
		total.failures += Math.max(0, now.failures - then.failures);
		now.buckets.forEach((count, i) => {
			total.buckets[i] = (total.buckets[i] || 0) + Math.max(0, count - (then.buckets[i] || 0));
		});
	}
	return total;
}

/** @type {Quantile} */
export function quantile(counts, bounds, share) {
	const rank = share * counts.reduce((sum, count) => sum + count, 0);
	let seen = 0;
	for (let i = 0; i < counts.length; i++) {
		if (counts[i] && seen + counts[i] >= rank) {
			const low = i ? bounds[i - 1] : 0;
			return low + ((bounds[i] ?? low) - low) * ((rank - seen) / counts[i]);
		}
		seen += counts[i];
	}
	return null;
}

/** The readings of one model over the last seconds. */
export class History {
	/** @type {Counts[]} */
	readings = [];
	/** @type {number[]} requests a second between readings, the latest last */
	rates = [];

	add(at, times) {
		const last = this.readings.at(-1);
		if (last && at > last.at) {
			this.rates.push(difference(last, { at, times }).requests / (at - last.at));
			if (this.rates.length > 60) this.rates.shift();
		}
		this.readings.push({ at, times });
		while (this.readings.length > 2 && this.readings[1].at <= at - WINDOW_S) this.readings.shift();
	}

	/** @returns {Rates} */
	figures(bounds) {
		const [first, last] = [this.readings[0], this.readings.at(-1)];
		if (!last || first === last) return { rate: 0, failures: 0, requests: 0, p50: null, p99: null };
		const { requests, failures, buckets } = difference(first, last);
		// The rate of the last seconds: it must move when the load does.
		const recent = this.readings.find((reading) => reading.at >= last.at - 5) || first;
		const span = last.at - recent.at;
		return {
			rate: span > 0 ? difference(recent, last).requests / span : 0,
			failures, requests,
			p50: quantile(buckets, bounds, 0.5),
			p99: quantile(buckets, bounds, 0.99),
		};
	}
}
