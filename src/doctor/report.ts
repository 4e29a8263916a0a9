import type { Diagnosis, Finding, Mark } from "./diagnosis";

const signs: Readonly<Record<Mark, string>> = { ok: "✓", info: "·", warn: "!", fail: "✗" };
const words: Readonly<Record<Mark, string>> = { ok: "ok", info: "", warn: "**warning**", fail: "**failed**" };

/** The diagnosis as lines for a terminal or a log. */
export function formatText({ sections }: Diagnosis): string {
  return sections.map(({ title, findings }) => [title, ...findings.map(line)].join("\n")).join("\n\n") + "\n";
}

/** The diagnosis as Markdown, for a document that is shown or sent to somebody. */
export function formatMarkdown({ sections }: Diagnosis): string {
  const bullets = sections.map(({ title, findings }) => [`## ${title}`, "", ...findings.map(bullet)].join("\n"));
  return ["# Plumbline: Doctor", ...bullets].join("\n\n") + "\n";
}

/** What is wrong, most serious first; for an exit code or a summary. */
export function problemsOf({ sections }: Diagnosis): readonly Finding[] {
  const all = sections.flatMap(({ findings }) => findings);
  return [...all.filter(({ mark }) => mark === "fail"), ...all.filter(({ mark }) => mark === "warn")];
}

function line({ mark, text, remedy }: Finding): string {
  return `  ${signs[mark]} ${text}${remedy === undefined ? "" : `\n    -> ${remedy}`}`;
}

function bullet({ mark, text, remedy }: Finding): string {
  const marked = words[mark] ? `${words[mark]}: ${escape(text)}` : escape(text);
  return `- ${marked}${remedy === undefined ? "" : `\n  - ${escape(remedy)}`}`;
}

/** Paths and messages are text, not markup. */
function escape(text: string): string {
  return text.replace(/[\\`*_[\]<>#|]/g, "\\$&");
}
