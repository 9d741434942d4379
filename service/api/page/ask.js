// Asks while somebody types or draws: the latest input, one at a time.

/** @param {() => Promise<unknown>} ask */
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
