/** A number that every image has, or may have. */
export interface Column {
  readonly id: string;
  readonly title: string;
  /** "%", "deg", "m", or empty. */
  readonly unit: string;
  /** Stored numbers are fractions, metres and degrees; shown ones are multiplied by it. */
  readonly shownFactor: number;
  readonly decimals: number;
  /** Where to look first; `none` where neither end is bad. */
  readonly worse: "higher" | "lower" | "none";
  /** One sentence for someone who has not read the paper. */
  readonly meaning: string;
}

function column(id: string, title: string, meaning: string, rest: Partial<Column> = {}): Column {
  return { id, title, meaning, unit: "", shownFactor: 1, decimals: 3, worse: "higher", ...rest };
}

const percent = { unit: "%", shownFactor: 100, decimals: 1 } as const;
const degrees = { unit: "deg", decimals: 1 } as const;

/** Ids under which Marigold's per_sample_metrics.csv has the depth metrics. */
export const marigoldNames = {
  absRel: "abs_relative_difference", sqRel: "squared_relative_difference", rmse: "rmse_linear", rmseLog: "rmse_log", log10: "log10",
  delta1: "delta1_acc", delta2: "delta2_acc", delta3: "delta3_acc", irmse: "i_rmse", silog: "silog_rmse",
} as const;

/** Of a run with depth truth, ids as in DepthMetrics. */
const depthColumns: readonly Column[] = [
  column("absRel", "AbsRel", "How far the depth is off on average, as a part of the true distance, after scale and shift.", percent),
  column("delta1", "delta1", "Part of the pixels within a quarter of the true distance.", { ...percent, worse: "lower" }),
  column("delta2", "delta2", "Part of the pixels within a factor of 1.25 squared.", { ...percent, worse: "lower" }),
  column("delta3", "delta3", "Part of the pixels within a factor of 1.25 cubed.", { ...percent, worse: "lower" }),
  column("rmse", "RMSE", "Root mean squared error; far pixels count most.", { unit: "m" }),
  column("rmseLog", "RMSE log", "Root mean squared error of the logarithm."),
  column("log10", "log10", "Mean error of the decimal logarithm."),
  column("sqRel", "SqRel", "Squared error over the true distance.", { unit: "m" }),
  column("irmse", "iRMSE", "Root mean squared error of the inverse depth; near pixels count most.", { unit: "1/m" }),
  column("silog", "SILog", "Error of the logarithm that ignores the overall scale, times 100."),
];

/** Of a run with normals truth. */
const normalsColumns: readonly Column[] = [
  column("meanAngle", "Mean angle", "Mean angle between predicted and true normals.", degrees),
  column("medianAngle", "Median angle", "Median angle between predicted and true normals.", degrees),
  column("rmseAngle", "RMSE angle", "Root mean squared angle.", degrees),
  ...(["5", "7.5", "11.25", "22.5", "30"] as const).map((limit) => column(`below${limit}`, `< ${limit} deg`, `Part of the pixels within ${limit} degrees of the true normal.`, { unit: "%", decimals: 1, worse: "lower" })),
];

/** Of a run without truth. */
const ownColumns: readonly Column[] = [
  column("depthExtent", "Depth extent", "How much of the model's range the depth uses; a flat prediction is near 0.", { ...percent, worse: "lower" }),
  column("depthSaturated", "Saturated", "Part of the pixels at the very ends of the depth: the decoder ran against its limits.", percent),
  column("depthMissing", "Depth missing", "Part of the pixels without a finite depth.", percent),
  column("normalsExtent", "Normals spread", "How far the normals turn from their mean direction; a flat prediction is near 0.", { ...degrees, worse: "lower" }),
  column("normalsMissing", "Normals missing", "Part of the pixels without a finite normal.", percent),
  column("depthUncertainty", "Depth uncertainty", "How far the ensemble's members differ, as a part of the depth's extent.", percent),
  column("normalsUncertainty", "Normals uncertainty", "How far the ensemble's members differ in direction.", degrees),
  column("consistency", "Depth against normals", "Mean angle between the predicted normals and those of the predicted depth's surface, at up to 6,000 pixels spread over the image and the field of view that suits best.", degrees),
];

/** Between two runs. */
const pairColumns: readonly Column[] = [
  column("depthDisagreement", "Depth disagreement", "How far the two runs' depths differ, relative and after scale and shift.", percent),
  column("normalsDisagreement", "Normals disagreement", "Mean angle between the two runs' normals.", degrees),
];

const imageColumns: readonly Column[] = [
  column("width", "Width", "Of the image in pixels, upright.", { decimals: 0, worse: "none" }),
  column("height", "Height", "Of the image in pixels, upright.", { decimals: 0, worse: "none" }),
  column("validPixels", "Valid pixels", "Pixels with ground truth that count.", { decimals: 0, worse: "lower" }),
  column("millis", "Time", "From the request to the result, with the wait for the images before it.", { unit: "ms", decimals: 0, worse: "none" }),
];

/** Every column that records of these runs can have; of a second run the ids and titles begin with its name. */
export function columnsOf(runNames: readonly string[]): readonly Column[] {
  const ofRun = (name: string, i: number): Column[] =>
    [...depthColumns, ...normalsColumns, ...ownColumns].map((item) => (i === 0 ? item : { ...item, id: `${name}.${item.id}`, title: `${item.title} (${name})` }));
  return [...(runNames.length > 1 ? pairColumns : []), ...runNames.flatMap(ofRun), ...imageColumns];
}

/** Robust z-scores: distance to the median in units of 1.4826 median absolute deviations (the standard deviation of a normal distribution); 0 for all where most are equal. */
export function robustScores(values: readonly number[]): number[] {
  const finite = values.filter(Number.isFinite);
  const centre = medianOf(finite);
  const deviation = 1.4826 * medianOf(finite.map((value) => Math.abs(value - centre)));
  return values.map((value) => (deviation > 0 ? (value - centre) / deviation : 0));
}

/** NaN of nothing. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return sorted.length === 0 ? NaN : (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}
