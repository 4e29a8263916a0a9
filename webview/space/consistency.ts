import { depthZMap, strideFor, thinnedMap, type DepthScaling } from "../../src/core/camera";
import type { FloatMap } from "../../src/core/image";
import { angleMap } from "../../src/core/normals";
import { normalsFromDepth } from "../../src/core/normalsFromDepth";
import { resizeMap } from "../../src/core/resize";
import { ColorBar } from "../rows/colorBar";
import { lutOf } from "../rows/colormaps";
import { attributes, el, setText } from "../dom";
import type { Painter, Picture } from "../gl/painter";
import { axisKey } from "../rows/legend";
import { percentile } from "../rows/measures";
import { spanOf, wholeImage } from "../rows/viewport";
import { gridOf, pinholeOf, type Grid } from "./cloud";
import { NumberSlider } from "./numberSlider";

/** Pause after the last change before the normals are computed anew. */
const settleMillis = 100;
/** Pixels whose normals are computed: more than the tiles can show, and quick enough to follow a slider. */
const maxPixels = 120_000;
const degrees = 180 / Math.PI;
/** Angle in the last colour; there is little to tell between worse ones. */
const largestDegrees = 30;

export interface Checked {
  readonly prediction: FloatMap;
  readonly scaling: DepthScaling;
  readonly fovDegrees: number;
  /** Pixels of the grid between the points of a difference. */
  readonly reach: number;
  /** Predicted, in RUB; of any size. */
  readonly normals?: FloatMap;
}

interface Result {
  readonly fromDepth: FloatMap;
  readonly predicted?: FloatMap;
  readonly angle?: FloatMap;
  readonly meanDegrees: number;
  readonly medianDegrees: number;
  readonly text: string;
}

/** Predicted normals, normals of the depth in space, and the angle between them. */
export class ConsistencyCheck {
  readonly element = el("div", "space-check");
  readonly #predicted = new SmallTile("Predicted normals", axisKey());
  readonly #fromDepth = new SmallTile("Normals of this depth", axisKey());
  readonly #angle: SmallTile;
  readonly #bar = new ColorBar();
  readonly #mean = el("strong", "number");
  readonly #median = el("strong", "number");
  readonly #numbers = attributes(el("p", "space-angle", el("span", "", "mean ", this.#mean), el("span", "", "median ", this.#median)), { role: "status" });
  readonly #note = el("p", "hint");
  readonly #computedAt = el("p", "hint");
  readonly #reach = new NumberSlider("Reach", "px", { min: 1, max: 12, step: 1 }, { min: 1, max: 60, integer: true }, (reach) => {
    this.#chosenReach = reach;
    this.onResult();
  });
  #checked?: Checked;
  #result?: Result;
  #timer?: number;
  #chosenReach?: number;

  constructor(private readonly onResult: () => void) {
    this.#angle = new SmallTile("Angle, degrees", this.#bar.element);
    this.element.append(el("h3", "", "Do depth and normals agree?"), el("div", "space-tiles", this.#predicted.element, this.#fromDepth.element, this.#angle.element, this.#numbers), this.#reach.element, this.#computedAt, this.#note);
  }

  /** Begins a computation when something changed since the last one; draws what is known. */
  update(wanted: Omit<Checked, "reach">, painter: Painter): void {
    const { prediction, normals, fovDegrees, scaling } = wanted;
    // A hundredth of the width: the noise of single pixels says nothing about the surface.
    const reach = this.#chosenReach ?? Math.max(1, Math.round(prediction.width / strideFor(prediction, maxPixels) / 100));
    const checked = { ...wanted, reach };
    this.#reach.set(reach);
    const before = this.#checked;
    const same = before && before.prediction === prediction && before.normals === normals && before.fovDegrees === fovDegrees && before.reach === reach && JSON.stringify(before.scaling) === JSON.stringify(scaling);
    if (!same) {
      this.#checked = checked;
      window.clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => {
        this.#result = compare(checked);
        this.onResult();
      }, settleMillis);
    }
    this.#show(checked, painter);
  }

  forget(): void {
    window.clearTimeout(this.#timer);
    this.#checked = this.#result = undefined;
    for (const tile of [this.#predicted, this.#fromDepth, this.#angle]) tile.forget();
  }

  #show({ scaling }: Checked, painter: Painter): void {
    const result = this.#result;
    if (!result) return;
    const { fromDepth, predicted, angle } = result;
    this.#predicted.show(predicted, painter);
    this.#fromDepth.show(fromDepth, painter);
    this.#angle.show(angle, painter);
    this.#bar.set(lutOf("magma"), [0, largestDegrees]);
    this.#numbers.hidden = angle === undefined;
    setText(this.#mean, `${result.meanDegrees.toFixed(1)}°`);
    setText(this.#median, `${result.medianDegrees.toFixed(1)}°`);
    const missing = angle ? "" : "No normals were predicted for this image; a row with a normals model gives something to compare with. ";
    const free = scaling.depthKind === "metric-depth" ? "Metric depth leaves only the field of view open: the angle depends on that slider." : "Scale and shift of this depth are not known, so the angle depends on the sliders; only shift ÷ scale and the field of view matter.";
    setText(this.#note, missing + free);
    setText(this.#computedAt, result.text);
  }
}

function compare({ prediction, normals, fovDegrees, scaling, reach }: Checked): Result {
  const since = performance.now();
  const grid = gridOf(prediction, maxPixels);
  const { width, height } = grid.prediction;
  const fromDepth = normalsFromDepth(depthZMap(grid.prediction, scaling), pinholeOf(grid, fovDegrees), reach);
  const predicted = normals && sampledTo(normals, grid);
  const angle = predicted && angleMap(predicted, fromDepth);
  const mean = angle ? meanOf(angle) * degrees : NaN;
  const median = angle ? percentile(angle, 50) * degrees : NaN;
  const millis = Math.round(performance.now() - since);
  const text = `RUB: x right, y up, z toward the viewer. Differences over ${reach} ${reach === 1 ? "pixel" : "pixels"} of ${width} × ${height}${grid.stride > 1 ? `, reduced from ${prediction.width} × ${prediction.height}` : ""}, ${millis} ms.`;
  return { fromDepth, predicted, angle, meanDegrees: mean, medianDegrees: median, text };
}

/** NaN for a map without a value. */
function meanOf({ data }: FloatMap): number {
  let sum = 0;
  let count = 0;
  for (const value of data) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}

/** The normals at the grid's pixels, nearest neighbours: directions are not blended. */
export function sampledTo(normals: FloatMap, { prediction, fullSize, stride }: Grid): FloatMap {
  const same = normals.width === fullSize.width && normals.height === fullSize.height;
  if (same) return thinnedMap(normals, stride);
  return resizeMap(normals, { width: prediction.width, height: prediction.height }, "nearest-exact");
}

/** One small picture with a title and a key. */
class SmallTile {
  readonly element = el("figure", "space-tile");
  readonly #area = el("div", "space-tile-area");
  readonly #canvas = attributes(el("canvas"), { role: "img" });
  #painted: readonly unknown[] = [];

  constructor(title: string, key: HTMLElement) {
    this.#area.append(attributes(this.#canvas, { "aria-label": title }));
    this.element.append(el("figcaption", "", title), this.#area, key);
  }

  /** Normals in RUB, or angles in radians. */
  show(map: FloatMap | undefined, painter: Painter): void {
    this.element.hidden = map === undefined;
    if (!map) return;
    this.element.style.setProperty("--tile-aspect", String(map.width / map.height));
    const ratio = window.devicePixelRatio;
    const [width, height] = [Math.round(this.#area.clientWidth * ratio), Math.round(this.#area.clientHeight * ratio)];
    const wanted = [width, height, map];
    if (width === 0 || height === 0 || wanted.every((part, i) => part === this.#painted[i])) return;
    this.#canvas.width = width;
    this.#canvas.height = height;
    const picture: Picture = map.channels === 3 ? { kind: "normals", map, signX: 1 } : { kind: "scalar", map, lut: lutOf("magma"), range: [0, largestDegrees / degrees] };
    const span = spanOf(wholeImage, map.width / map.height, width, height);
    this.#painted = painter.paint(this.#canvas, picture, span) ? wanted : [];
  }

  forget(): void {
    this.#painted = [];
  }
}
