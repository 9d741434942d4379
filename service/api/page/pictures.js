// Pictures as files, as canvases, and as the arrays of numbers that models take.

export const takesPictures = (field) => (field.content_types || []).some((type) => type.startsWith("image/"));

/** @param {Shape} shape of one instance @returns {PictureShape|null} of a square picture; null of anything else */
export function pictureShape(shape) {
	const [height, width, channels = 0] = shape;
	const isFlat = shape.length === 2 || (shape.length === 3 && [1, 3].includes(channels ?? 0));
	if (!isFlat || !height || height !== width || height < 8 || height > 512) return null;
	return { size: height, channels: channels ?? 0 };
}

/** What pictures a numeric field holds. `rows` is 1 where its first dimension counts them, else 0. */
export const picturesIn = ({ shape, dtype }, rows = 1) => (shape && dtype !== "string" && dtype !== "bool" ? pictureShape(shape.slice(rows)) : null);

/** @returns {Pair} its darkest and brightest */
export function brightness(field) {
	return [field.minimum ?? 0, field.maximum ?? (field.dtype === "uint8" ? 255 : 1)];
}

/** @returns {[Canvas, Drawing]} */
export function newCanvas(size) {
	const canvas = document.createElement("canvas");
	canvas.width = canvas.height = size;
	return [canvas, context(canvas)];
}

export const context = (canvas) => canvas.getContext("2d", { willReadFrequently: true });

export function drawArray(canvas, rows, [low, high]) {
	const image = new ImageData(rows[0].length, rows.length);
	rows.flat().forEach((pixel, i) => {
		for (let c = 0; c < 3; c++) {
			const value = Array.isArray(pixel) ? pixel[pixel.length === 3 ? c : 0] : pixel;
			image.data[4 * i + c] = (255 * (value - low)) / (high - low || 1);
		}
		image.data[4 * i + 3] = 255;
	});
	context(canvas).putImageData(image, 0, 0);
}

export function readArray(canvas, channels, [low, high], isWhole) {
	const { width, height } = canvas;
	const { data } = context(canvas).getImageData(0, 0, width, height);
	const scaled = (value) => {
		const number = low + (value / 255) * (high - low);
		return isWhole ? Math.round(number) : Number(number.toPrecision(6));
	};
	const grey = (i) => scaled(Math.round(0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]));
	const pixel = (i) =>
		channels === 0 ? grey(i) : channels === 1 ? [grey(i)] : [scaled(data[i]), scaled(data[i + 1]), scaled(data[i + 2])];
	return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => pixel(4 * (y * width + x))));
}

/** Draw a picture into a square canvas, whole and in its middle. */
export function drawFitting(canvas, picture, width, height) {
	const [size, drawing] = [canvas.width, context(canvas)];
	const scale = size / Math.max(width, height);
	drawing.fillStyle = "#000";
	drawing.fillRect(0, 0, size, size);
	drawing.imageSmoothingQuality = "high";
	drawing.drawImage(picture, (size - width * scale) / 2, (size - height * scale) / 2, width * scale, height * scale);
}

export function invert(canvas) {
	const drawing = context(canvas);
	const image = drawing.getImageData(0, 0, canvas.width, canvas.height);
	image.data.forEach((value, i) => { if (i % 4 !== 3) image.data[i] = 255 - value; });
	drawing.putImageData(image, 0, 0);
}

export function hasBrightEdge(canvas) {
	const size = canvas.width;
	const { data } = context(canvas).getImageData(0, 0, size, size);
	let [sum, count] = [0, 0];
	for (let i = 0; i < size * size; i++) {
		const [x, y] = [i % size, Math.floor(i / size)];
		if (x && y && x < size - 1 && y < size - 1) continue;
		sum += data[4 * i];
		count += 1;
	}
	return sum / count > 127;
}

export async function toPng(canvas) {
	const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
	return new Uint8Array(await blob.arrayBuffer());
}

export function toBase64(bytes) {
	let text = "";
	for (let i = 0; i < bytes.length; i += 32_768) text += String.fromCharCode(...bytes.subarray(i, i + 32_768));
	return btoa(text);
}

/** @returns {Promise<{b64: string}>} a file as requests have it */
export const encoded = async (file) => ({ b64: toBase64(new Uint8Array(await file.arrayBuffer())) });

/** @returns {Uint8Array<ArrayBuffer>} */
export const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
