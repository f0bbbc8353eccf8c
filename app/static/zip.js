// Zip files of a few parts: written as they are (sounds and weights do not shrink), read as anybody writes them.
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const UTF8 = 1 << 11; // names are UTF-8
const STORED = 0;
const DEFLATED = 8;

export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

// parts: [[name, Uint8Array]]. Returns a Blob.
export function zip(parts) {
  const [bodies, index] = [[], []];
  let at = 0;
  for (const [name, bytes] of parts) {
    const letters = new TextEncoder().encode(name);
    const head = fields([[4, LOCAL], [2, 20], [2, UTF8], [2, STORED], [4, 0], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, letters.length], [2, 0]]);
    bodies.push(head, letters, bytes);
    index.push(
      fields([[4, CENTRAL], [2, 20], [2, 20], [2, UTF8], [2, STORED], [4, 0], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, letters.length], [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, at]]),
      letters,
    );
    at += head.length + letters.length + bytes.length;
  }
  const size = index.reduce((sum, one) => sum + one.length, 0);
  const end = fields([[4, END], [2, 0], [2, 0], [2, parts.length], [2, parts.length], [4, size], [4, at], [2, 0]]);
  return new Blob([...bodies, ...index, end], { type: "application/zip" });
}

function fields(sizesAndValues) {
  const bytes = new Uint8Array(sizesAndValues.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of sizesAndValues) {
    if (size === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    at += size;
  }
  return bytes;
}

// Name to bytes of every part of a zip file. Throws where it is none.
export async function unzip(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const view = new DataView(bytes.buffer);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw new Error("this is no zip file");
  const found = new Map();
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (view.getUint32(at, true) !== CENTRAL) throw new Error("this zip file is damaged");
    const [way, packed, letters, extra, comment, start] = [
      view.getUint16(at + 10, true), view.getUint32(at + 20, true), view.getUint16(at + 28, true),
      view.getUint16(at + 30, true), view.getUint16(at + 32, true), view.getUint32(at + 42, true),
    ]; // prettier-ignore
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + letters));
    const body = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
    found.set(name, await inflated(bytes.subarray(body, body + packed), way));
    at += 46 + letters + extra + comment;
  }
  return found;
}

async function inflated(bytes, way) {
  if (way === STORED) return bytes;
  if (way !== DEFLATED) throw new Error("this zip file is packed in a way that browsers cannot read");
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}
