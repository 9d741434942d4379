// JSON and numbers, exactly: a whole number of 16 digits or more, as an int64 may have, is a BigInt.

const exact = (text, value) => (/^\s*-?\d{16,}\s*$/.test(text) ? BigInt(text) : value);

/** Browsers that do not tell how a number is written round it. */
export const parse = (text) => JSON.parse(text, (_, value, context) => exact(context?.source, value));

/** As JSON.stringify takes it. Where a browser cannot write a BigInt, it is text, which the service refuses. */
export const plain = (value) => (typeof value === "bigint" ? JSON.rawJSON?.(String(value)) ?? String(value) : value);

export const stringify = (value, indent) => JSON.stringify(value, (_, each) => plain(each), indent);

export const isNumber = (value) => ["number", "bigint"].includes(typeof value);

/** The number that a text is; what is none stays text. */
export const numberIn = (text) => (text.trim() && Number.isFinite(Number(text)) ? exact(text, Number(text)) : text);

export const difference = (a, b) => Number(typeof a === typeof b ? a - b : Number(a) - Number(b));

/** A fraction in so many digits; all else as it is. */
export const brief = (value, digits) => (Number.isFinite(value) && value % 1 ? Number(value.toPrecision(digits)) : value);
