import { figureSvg, type FigureTile } from "../../src/core/figure";
import { barOf, footerOf, imageName, imageOf, provenanceOf, runLine, stemOf, type FigureFile } from "../bars/figureParts";
import type { Picture } from "../gl/painter";
import type { Page } from "../page";
import { differencePicture, differenceText, fitLine, formulaOf, kindLine, shownDifference, sizeLine, summaryOf, type AbPictures, type AbView } from "./abPictures";

/** The comparison as a figure: A, B, one wiped over the other where the stage shows that, and their difference with its numbers. */
export function abFigure(page: Page, stage: AbView, pictures: AbPictures): FigureFile {
  const { a, b, left, right, comparison } = pictures;
  const image = imageName(page);
  const kind = kindLine(a.semantics, b.semantics, page.state.view, comparison !== undefined);
  const sideOf = (name: string, label: string, picture: Picture): FigureTile => tileOf(`${name}: ${label}`, picture, kind, page);
  const wipe: Picture = { kind: "wipe", left, right, split: stage.split };
  const wiped = stage.mode === "flicker" ? [] : [{ ...tileOf(`A | B, wiped at ${Math.round(100 * stage.split)} %`, wipe, kind, page), image: imageOf(wipe, page, markSplit(stage.split)) }];
  const difference = comparison?.difference(shownDifference(stage));
  const numbers = difference ? summaryOf(difference) : [];
  const text = difference && differenceText[difference.kind];
  const differing = difference && text ? [tileOf(text.title, differencePicture(difference, page.state.view.rangePercentiles, undefined), `${formulaOf(difference)}, ${text.unit}`, page)] : [];
  const facts = [comparison && fitLine(comparison), ...numbers.map(([name, value]) => `${name} ${value}`), pictures.refusal, sizeLine(pictures)].filter(Boolean).join(" · ");
  const sides = [["A", stage.a], ["B", stage.b]] as const;
  const settings = sides.flatMap(([name, ref]) => (runLine(ref, page) ? [`${name}: ${runLine(ref, page)}`] : []));
  return {
    name: `${stemOf(image)}_A-B_${b.semantics.task}`,
    svg: figureSvg({
      rows: [{ label: `A: ${a.label} · B: ${b.label}`, settings: [...settings, facts].join("; "), tiles: [sideOf("A", a.label, left), sideOf("B", b.label, right), ...wiped, ...differing] }],
      footer: footerOf(image, provenanceOf(stage.b, page) ?? provenanceOf(stage.a, page)),
    }),
    provenance: {
      image,
      view: page.state.view,
      comparison: { a: { label: a.label, shown: stage.a }, b: { label: b.label, shown: stage.b }, ...comparison?.pair.fit, inverse: comparison?.pair.inverse, difference: difference?.kind, ...Object.fromEntries(numbers) },
      runs: sides.flatMap(([side, ref]) => (provenanceOf(ref, page) ? [{ side, ...provenanceOf(ref, page) }] : [])),
    },
  };
}

function tileOf(heading: string, picture: Picture, kind: string, page: Page): FigureTile {
  const bar = barOf(picture, kind);
  return { heading, image: imageOf(picture, page), bar, caption: bar ? undefined : kind };
}

/** The line at which a wipe's parts meet: white between dark, to be seen on any colour. */
function markSplit(split: number): (plane: CanvasRenderingContext2D, width: number, height: number) => void {
  return (plane, width, height) => {
    const at = Math.round(split * width);
    const line = Math.max(1, Math.round(width / 400));
    for (const [colour, half] of [["#000000", 2 * line], ["#ffffff", line]] as const) {
      plane.fillStyle = colour;
      plane.fillRect(at - half, 0, 2 * half, height);
    }
  };
}
