import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import { medianOf } from "../evaluation/columns";
import { readGroundTruth, type GroundTruth } from "../evaluation/groundTruth";

/** From best to worst. */
const layouts = ["right", "partly", "wrong"] as const;

/** What someone who looked at the maps of a photograph says of what is near and far in it. */
export type Layout = (typeof layouts)[number];

/** A real photograph of the set, and how its maps were judged. */
export interface Photograph {
  /** Path of the image; for people its file name is enough. */
  readonly path: string;
  /** The kind of scene that it stands for; each kind once. */
  readonly kind: string;
  /** Path of the measured depth, a 16-bit PNG in millimetres with 0 where there is none; absent where nobody measured it. */
  readonly depthPath?: string;
  /** Each made from the photograph and its maps alone, without a look at the others; an odd number of them. */
  readonly judgements: readonly Layout[];
  /** The middle one of the judgements. */
  readonly layout: Layout;
  /** Why it was judged so. */
  readonly remark: string;
}

/** The photographs that come with a checkout. */
export interface PhotographSet {
  readonly photographs: readonly Photograph[];
  /** The fingerprint (`modelsFingerprint`) of the models whose maps were judged. */
  readonly judgedModels: string;
}

interface StoredSet {
  readonly judgedModels: string;
  readonly photographs: readonly { readonly file: string; readonly kind: string; readonly depth?: string; readonly judgements: readonly string[]; readonly remark: string }[];
}

/** Reads photographs.json of the set, whose paths are relative to it. Throws `not-found` outside a checkout, `bad-argument` for an unknown judgement, or an even number of them. */
export async function openPhotographs(dir: string): Promise<PhotographSet> {
  const text = await readFile(join(dir, "photographs.json"), "utf8").catch((cause: unknown) => {
    throw new PlumblineError("not-found", `Expected the photographs at ${dir} but there are none.`, "Run the study from a checkout: npm run studies photographs", { cause });
  });
  const { judgedModels, photographs } = JSON.parse(text) as StoredSet;
  return {
    judgedModels,
    photographs: photographs.map(({ file, kind, depth, judgements, remark }) => ({
      path: join(dir, file), kind, remark, ...judged(judgements, file), ...(depth !== undefined && { depthPath: join(dir, depth) }),
    })),
  };
}

function judged(texts: readonly string[], file: string): Pick<Photograph, "judgements" | "layout"> {
  if (texts.length % 2 === 0) throw unexpected("bad-argument", `the number of judgements of ${file}`, "an odd one, so that there is a middle one", texts.length);
  const judgements = texts.map((text) => layoutOf(text, file));
  return { judgements, layout: layouts[medianOf(judgements.map((layout) => layouts.indexOf(layout)))] };
}

function layoutOf(text: string, file: string): Layout {
  const layout = layouts.find((name) => name === text);
  if (!layout) throw unexpected("bad-argument", `the judgement of ${file}`, layouts.join(", "), text);
  return layout;
}

/** Who took a photograph, and under which licence it is, in Markdown. */
export interface Credit {
  readonly author: string;
  readonly licence: string;
}

/** Reads the credit of a photograph from the table in LICENCES.md beside it. Throws `not-found`. */
export async function readCredit(path: string): Promise<Credit> {
  const rows = (await readFile(join(dirname(path), "LICENCES.md"), "utf8")).split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  const row = rows.find(([, files]) => files?.includes(`\`${basename(path)}\``));
  if (!row) throw new PlumblineError("not-found", `Expected a licence of ${path} in LICENCES.md beside it but found none.`);
  return { author: row[3], licence: row[4] };
}

/** Reads measured depth in metres and where it is known. Throws `bad-image`. */
export async function readMeasuredDepth(path: string): Promise<GroundTruth> {
  return readGroundTruth(path, [], { encoding: { kind: "depth", unitsPerMetre: 1000, invalid: [0] } });
}
