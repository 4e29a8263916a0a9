/** A cell; undefined and NaN are written as empty. */
export type CsvCell = string | number | undefined;

/**
 * A table as RFC 4180 text: comma, CRLF after every line, quotes doubled, quoted where it must be. Numbers are the
 * shortest decimals that read back as the same float64.
 */
export function csvFrom(header: readonly string[], rows: readonly (readonly CsvCell[])[]): string {
  return [header, ...rows].map((row) => `${row.map(cellText).join(",")}\r\n`).join("");
}

function cellText(cell: CsvCell): string {
  if (cell === undefined || Number.isNaN(cell)) return "";
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
