/** Texts and their bytes. */

/** A text as UTF-8. What is no text on its own, half of a pair, becomes U+FFFD. */
export function encode(text: string): ArrayBuffer {
  return String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
}

/** The same as an array. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.wrap(encode(text));
}

/** Whether bytes are UTF-8. What is not is read as something else. */
export function isUtf8(bytes: Uint8Array): bool {
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i++];
    if (first < 0x80) continue;
    const more = first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : 0;
    if (!more || i + more > bytes.length) return false;
    const second = bytes[i];
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return false;
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return false;
    for (let k = 0; k < more; k++) if ((bytes[i++] & 0xc0) != 0x80) return false;
  }
  return true;
}
