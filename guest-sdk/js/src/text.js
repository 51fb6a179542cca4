/** Texts and the bytes that they are in messages. */

export const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const encode = (value) => (typeof value === "string" ? encoder.encode(value) : value);
export const decode = (value) => decoder.decode(value);

/** One character for each byte: for what looks at bytes that need not be text. */
export function decodeLatin1(bytes) {
  if (bytes.toBase64) return atob(bytes.toBase64());
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

export function encodeLatin1(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(btoa(text));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
