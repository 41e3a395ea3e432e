// SHA-256 and SHA-1 of a file, a piece at a time: the file is never in memory whole, and never leaves the computer.

export const MOST_BYTES = 4 * 2 ** 30;
const PIECE = 2 ** 22;

const K = new Uint32Array(64);
const START_256 = new Uint32Array(8);
{
  // The constants are the fractions of the roots of the first primes.
  const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32);
  let found = 0;
  for (let n = 2; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    if (found < 8) START_256[found] = fraction(Math.sqrt(n));
    K[found++] = fraction(Math.cbrt(n));
  }
}

class Sha256 {
  constructor() {
    this.state = Uint32Array.from(START_256);
    this.words = new Uint32Array(64);
  }

  block(view, at) {
    const w = this.words;
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + i * 4);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = this.state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    const s = this.state;
    s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += h;
  }
}

class Sha1 {
  constructor() {
    this.state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
    this.words = new Int32Array(80);
  }

  block(view, at) {
    const w = this.words;
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + i * 4);
    for (let i = 16; i < 80; i++) {
      const x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
      w[i] = (x << 1) | (x >>> 31);
    }
    let [a, b, c, d, e] = this.state;
    for (let i = 0; i < 80; i++) {
      let f, k;
      if (i < 20) { f = (b & c) | (~b & d); k = 0x5a827999; }
      else if (i < 40) { f = b ^ c ^ d; k = 0x6ed9eba1; }
      else if (i < 60) { f = (b & c) | (b & d) | (c & d); k = 0x8f1bbcdc; }
      else { f = b ^ c ^ d; k = 0xca62c1d6; }
      const t = (((a << 5) | (a >>> 27)) + f + e + k + w[i]) | 0;
      e = d; d = c; c = (b << 30) | (b >>> 2); b = a; a = t;
    }
    const s = this.state;
    s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e;
  }
}

// The last piece with the padding that both hashes have: a one, zeroes, and the length in bits.
function padded(bytes, total) {
  const size = Math.ceil((bytes.length + 9) / 64) * 64;
  const all = new Uint8Array(size);
  all.set(bytes);
  all[bytes.length] = 0x80;
  const view = new DataView(all.buffer);
  view.setUint32(size - 8, Math.floor(total / 2 ** 29));
  view.setUint32(size - 4, (total << 3) >>> 0);
  return all;
}

function take(hashes, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 64 <= bytes.length; at += 64) for (const hash of hashes) hash.block(view, at);
}

const hex = (words) => Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
const hexBytes = (bytes) => Array.from(new Uint8Array(bytes), (each) => each.toString(16).padStart(2, "0")).join("");

// By the browser's own code where a file is small and the address is secure, by the above in pieces where it is not.
export async function digests(file, progress = () => {}, { small = 2 ** 26, subtle = globalThis.crypto?.subtle } = {}) {
  if (subtle && file.size <= small) {
    const bytes = await file.arrayBuffer();
    const [sha256, sha1] = await Promise.all([subtle.digest("SHA-256", bytes), subtle.digest("SHA-1", bytes)]);
    progress(file.size);
    return { sha256: hexBytes(sha256), sha1: hexBytes(sha1) };
  }
  const hashes = [new Sha256(), new Sha1()];
  let done = 0;
  while (file.size - done >= PIECE) {
    take(hashes, new Uint8Array(await file.slice(done, done + PIECE).arrayBuffer()));
    done += PIECE;
    progress(done);
    await new Promise((resolve) => { setTimeout(resolve); });
  }
  take(hashes, padded(new Uint8Array(await file.slice(done).arrayBuffer()), file.size));
  progress(file.size);
  return { sha256: hex(hashes[0].state), sha1: hex(hashes[1].state) };
}
