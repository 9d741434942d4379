// Asks while somebody types or draws: the latest input, one at a time.

export class Asker {
	constructor(ask, pause = 120) {
		this.ask = ask;
		this.pause = pause;
		this.timer = 0;
		this.isRunning = false;
		this.isWanted = false;
	}

	soon() {
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.now(), this.pause);
	}

	async now() {
		clearTimeout(this.timer);
		this.isWanted = true;
		if (this.isRunning) return;
		this.isRunning = true;
		try {
			while (this.isWanted) {
				this.isWanted = false;
				await this.ask();
			}
		} finally {
			this.isRunning = false;
		}
	}
}
