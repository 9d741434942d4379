// Pictures as files, as canvases, and as the arrays of numbers that models take.

export const takesPictures = (field) => (field.content_types || []).some((type) => type.startsWith("image/"));

/** @returns {[Canvas, Drawing]} */
export function newCanvas(size) {
	const canvas = document.createElement("canvas");
	canvas.width = canvas.height = size;
	return [canvas, context(canvas)];
}

export const context = (canvas) => canvas.getContext("2d", { willReadFrequently: true });

/** All its pixels. */
const pixels = (canvas) => context(canvas).getImageData(0, 0, canvas.width, canvas.height);

export function drawArray(canvas, rows, { low, high }) {
	const image = new ImageData(rows[0].length, rows.length);
	rows.flat().forEach((pixel, i) => {
		for (let c = 0; c < 3; c++) {
			const value = Number(Array.isArray(pixel) ? pixel[pixel.length === 3 ? c : 0] : pixel);
			image.data[4 * i + c] = (255 * (value - low)) / (high - low || 1);
		}
		image.data[4 * i + 3] = 255;
	});
	context(canvas).putImageData(image, 0, 0);
}

export function readArray(canvas, { channels, low, high }, isWhole) {
	const { data, width, height } = pixels(canvas);
	const scaled = (value) => {
		const number = low + (value / 255) * (high - low);
		return isWhole ? Math.round(number) : Number(number.toPrecision(6));
	};
	const grey = (i) => scaled(Math.round(0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]));
	const pixel = (i) => (channels === 3 ? [0, 1, 2].map((c) => scaled(data[i + c])) : channels ? [grey(i)] : grey(i));
	return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => pixel(4 * (y * width + x))));
}

export function clear(canvas) {
	const drawing = context(canvas);
	drawing.fillStyle = "#000";
	drawing.fillRect(0, 0, canvas.width, canvas.height);
}

/** Draw a picture into a square canvas, whole and in its middle. */
function drawFitting(canvas, picture) {
	const [size, drawing, { width, height }] = [canvas.width, context(canvas), picture];
	const scale = size / Math.max(width, height);
	clear(canvas);
	drawing.imageSmoothingQuality = "high";
	drawing.drawImage(picture, (size - width * scale) / 2, (size - height * scale) / 2, width * scale, height * scale);
}

/** Draw a file, or what requests have of it. Whether it is a picture */
export async function drawFile(canvas, file) {
	try {
		drawFitting(canvas, await createImageBitmap(file.b64 ? new Blob([Uint8Array.from(atob(file.b64), (letter) => letter.charCodeAt(0))]) : file));
		return true;
	} catch {
		return false;
	}
}

export function invert(canvas) {
	const image = pixels(canvas);
	image.data.forEach((value, i) => { if (i % 4 !== 3) image.data[i] = 255 - value; });
	context(canvas).putImageData(image, 0, 0);
}

export function hasBrightEdge(canvas) {
	const { data, width: size } = pixels(canvas);
	const edge = Array.from({ length: size }, (_, i) => [i, size * i, size * i + size - 1, size * (size - 1) + i]).flat();
	return edge.reduce((sum, i) => sum + data[4 * i], 0) / edge.length > 127;
}

/** What follows the comma of `data:<type>;base64,`: a file as requests have it. */
const ofDataUrl = (url) => ({ b64: url.split(",")[1] || "" });

export const asPng = (canvas) => ofDataUrl(canvas.toDataURL());

/** @returns {Promise<{b64: string}>} */
export const encoded = (file) => new Promise((done) => {
	const reader = new FileReader();
	reader.onload = () => done(ofDataUrl(reader.result));
	reader.readAsDataURL(file);
});
