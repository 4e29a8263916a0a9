import assert from "node:assert/strict";
import fc from "fast-check";
import { csvFrom } from "../../src/core/csv";

/** A reader by the letter of RFC 4180, section 2: fields, quoted or not, and lines that end with CRLF. */
function read(text: string): string[][] {
  const rows: string[][] = [];
  let at = 0;
  while (at < text.length) {
    const row: string[] = [];
    for (;;) {
      let field = "";
      if (text[at] === '"') {
        for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
          field += text[at];
          if (text[at] === '"') at++;
        }
        at++;
      } else while (text[at] !== "," && text[at] !== "\r") field += text[at++];
      row.push(field);
      if (text[at] !== ",") break;
      at++;
    }
    assert.equal(text.slice(at, at + 2), "\r\n");
    at += 2;
    rows.push(row);
  }
  return rows;
}

describe("CSV", () => {
  it("writes the example of RFC 4180", () => {
    assert.equal(csvFrom(["aaa", 'b"bb', "ccc"], [["b\r\nbb", "c,c", 1]]), 'aaa,"b""bb",ccc\r\n"b\r\nbb","c,c",1\r\n');
  });

  it("leaves cells without a value empty, and keeps infinity", () => {
    assert.equal(csvFrom(["a", "b", "c"], [[undefined, NaN, -Infinity]]), "a,b,c\r\n,,-Infinity\r\n");
  });

  it("reads back as the same text and the same float64", () => {
    const cell = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', ",", "\r", "\n", "x") }), fc.double({ noNaN: true }));
    fc.assert(fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 4 }), (rows) => {
      const [, ...back] = read(csvFrom(["h"], rows));
      assert.deepEqual(back, rows.map((row) => row.map(String)));
      back.forEach((row, r) => row.forEach((text, c) => {
        const value = rows[r][c];
        if (typeof value === "number") assert.equal(Number(text), value === 0 ? 0 : value);
      }));
    }));
  });
});
