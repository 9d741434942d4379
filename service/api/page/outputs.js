// What a prediction says, by the contract of its outputs.

export function readOutputs(signature, row) {
	const outputs = new Map(signature.outputs.map((field) => [field.name, field]));
	const label = [...outputs.values()].find((field) => (field.choices?.length || 0) > 1);
	/** @type {Reading} */
	const reading = { classes: [], label: label ? String(row[label.name]) : null, numbers: [], others: [] };
	const used = new Set(label ? [label.name] : []);
	if (label) {
		const found = classesOf(label, outputs, row);
		reading.classes = found.classes;
		found.used.forEach((name) => used.add(name));
	} else {
		// Without names for its classes, a distribution over them is shown by their numbers.
		const vector = signature.outputs.find(({ name }) => isDistribution(row[name]));
		if (vector) {
			reading.classes = row[vector.name].map((share, i) => ({ name: `class ${i}`, share }));
			reading.label = topClass(reading);
			used.add(vector.name);
		}
	}
	for (const field of outputs.values()) {
		if (used.has(field.name)) continue;
		const value = row[field.name];
		if (typeof value !== "number") continue;
		const low = end(outputs, field.name, ["_low", "_lower"]);
		const high = end(outputs, field.name, ["_high", "_upper"]);
		if (!low || !high) continue;
		[low, high, field.name].forEach((name) => used.add(name));
		reading.numbers.push({ field, value, low: row[low], high: row[high] });
	}
	for (const field of outputs.values()) {
		if (used.has(field.name)) continue;
		const value = row[field.name];
		if (typeof value === "number" && reading.label === null) reading.numbers.push({ field, value, low: null, high: null });
		else reading.others.push({ field, value });
	}
	return reading;
}

const isDistribution = (value) => Array.isArray(value) && value.length > 1 && value.every((each) => each >= 0)
	&& Math.abs(value.reduce((sum, each) => sum + each, 0) - 1) < 1e-3;

const end = (outputs, name, endings) => endings.map((ending) => name + ending).find((each) => outputs.has(each));

const isShare = (field) => field.dtype.includes("float") && field.minimum === 0 && field.maximum === 1;

function classesOf(label, outputs, row) {
	const names = (label.choices || []).map(String);
	const told = String(row[label.name]);
	const all = [...outputs.values()];
	const vector = all.find(({ name }) => Array.isArray(row[name]) && row[name].length === names.length && row[name].every(Number.isFinite));
	const single = all.find((field) => isShare(field) && typeof row[field.name] === "number");
	// The class' number and the probability of the class say nothing beyond the bars.
	const numbers = all.filter((field) => typeof row[field.name] === "number" && field.dtype.includes("int") && names[row[field.name]] === told);
	if (vector) {
		return {
			classes: names.map((name, i) => ({ name, share: row[vector.name][i] })),
			used: [vector, single, ...numbers].flatMap((field) => (field ? [field.name] : [])),
		};
	}
	if (!single) return { classes: [], used: [] };
	const share = row[single.name];
	const used = [single, ...numbers].map((field) => field.name);
	if (names.length !== 2) return { classes: [{ name: told, share }], used };
	// One number for two classes: it is the second's, unless that contradicts the label.
	const ofSecond = share >= 0.5 && told === names[0] ? 1 - share : share;
	return { classes: [{ name: names[0], share: 1 - ofSecond }, { name: names[1], share: ofSecond }], used };
}

/** The one number that explanations follow: the share of a class, or the first number. */
export function target(reading, name) {
	if (reading.classes.length) return reading.classes.find((each) => each.name === name)?.share ?? 0;
	return reading.numbers[0]?.value ?? null;
}

/** @returns {string|null} the class that is most probable */
export function topClass(reading) {
	return [...reading.classes].sort((a, b) => b.share - a.share)[0]?.name ?? reading.label;
}

/** @param {Reading} reading the answer in a few words */
export function inWords(reading) {
	if (reading.label !== null) return reading.label;
	return reading.numbers.map(({ field, value }) => `${field.name} ${value.toPrecision(4)} ${field.unit || ""}`.trim()).join(", ");
}
