import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** One file of an archive. */
export interface ArchiveEntry {
  readonly name: string;
  readonly byteLength: number;
}

/** Names and unpacked sizes of a .zip (or .vsix), from its central directory (PKWARE APPNOTE, sections 4.3.12 and 4.3.16). */
export function listArchive(path: string): readonly ArchiveEntry[] {
  const bytes = readFileSync(path);
  const end = bytes.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  assert.ok(end >= 0, `${path} is no archive.`);
  const entries: ArchiveEntry[] = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let count = bytes.readUInt16LE(end + 10); count > 0; count--) {
    assert.equal(bytes.toString("latin1", at, at + 4), "PK\x01\x02");
    const nameLength = bytes.readUInt16LE(at + 28);
    entries.push({ name: bytes.toString("utf8", at + 46, at + 46 + nameLength), byteLength: bytes.readUInt32LE(at + 24) });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return entries;
}
