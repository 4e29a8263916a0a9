import { join } from "node:path";
import sharp from "sharp";
import type { FloatMap } from "../../src/core/image";
import type { DecodedImage, PredictEvent } from "../../src/protocol/inference";
import type { PanelSettings, Thumbnail, ToWebview } from "../../src/protocol/panel";
import { event, mapOf, multi, planned, planOf, resultOf, settingsOf, single, step } from "./scenario";

const samples = join(__dirname, "../../media/samples");
export const names = ["room.jpg", "coffee.jpg", "temple.jpg", "stream.jpg", "bowl.jpg", "mountain.jpg"];
const ten = { ...multi, steps: 5 };
const leading = { ...single, rowId: "leading", label: "Leading, 1 step (the flaw)", spacing: "leading" as const };
const endToEnd = { ...single, rowId: "e2e", label: "E2E fine-tuned", models: { depth: "e2e-depth", normals: "e2e-normals" }, noise: { kind: "zeros" as const } };
export const rows: PanelSettings = settingsOf(ten, single, leading, endToEnd);

/** A sample photograph with a depth and normals that look like an estimate: a floor that rises, and the picture's relief. */
export async function photograph(name: string): Promise<{ photo: DecodedImage; thumbnail: Thumbnail; depth: FloatMap; normals: FloatMap }> {
  // Small enough to travel to the page as text.
  const file = sharp(await sharp(join(samples, name)).resize(256, 256, { fit: "inside" }).png().toBuffer());
  const { data, info } = await file.clone().raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const small = await file.clone().resize(160).jpeg().toBuffer();
  const soft = await file.clone().greyscale().blur(5).raw().toBuffer();
  const depth = mapOf(width, height, 1, (x, y) => 0.9 - 0.75 * (y / height) ** 1.3 + 0.25 * (soft[y * width + x] / 255 - 0.5) + 0.12 * Math.abs(x / width - 0.5));
  const at = (x: number, y: number): number => depth.data[Math.min(height - 1, y) * width + Math.min(width - 1, x)];
  const normals = mapOf(width, height, 3, (x, y, c) => {
    const dx = (at(x + 2, y) - at(x, y)) * 45;
    const dy = (at(x, y + 2) - at(x, y)) * 45 + 0.35;
    const norm = Math.hypot(dx, dy, 1);
    return [dx, dy, 1][c] / norm;
  });
  return { photo: { width, height, rgb: new Uint8Array(data) }, thumbnail: { source: `data:image/jpeg;base64,${small.toString("base64")}`, width, height }, depth, normals };
}

/** A whole run on a photograph, with a thumbnail before it. */
export async function runOn(name: string, generation: number, image: number, settings: PanelSettings): Promise<ToWebview[]> {
  const { photo, thumbnail, depth, normals } = await photograph(name);
  const { width, height } = photo;
  const noisy = (map: FloatMap, amount: number): FloatMap => mapOf(width, height, map.channels, (x, y, c) => {
    const at = (y * width + x) * map.channels + c;
    const grain = Math.sin((x >> 3) * 12.9898 + (y >> 3) * 78.233 + c) * 43758.5453;
    return map.data[at] + amount * (grain - Math.floor(grain) - 0.5);
  });
  const std = mapOf(width, height, 1, (x, y) => Math.abs(depth.data[y * width + x] - depth.data[y * width + Math.max(0, x - 4)]) * 0.8 + 0.004);
  const events: PredictEvent[] = [{ type: "image", image: photo }, { type: "device", device: "cpu" }];
  for (const row of settings.rows) {
    const flawed = row.spacing === "leading";
    events.push(planned(row, "depth"), planned(row, "normals"));
    for (let i = 0; i < row.steps && row.steps > 1; i++) {
      const amount = 0.5 * (1 - (i + 1) / row.steps);
      events.push(step(row, "depth", i, noisy(depth, amount), i > 0 ? std : undefined), step(row, "normals", i, noisy(normals, amount)));
    }
    const timesteps = row.steps > 1 ? planOf(row).map(({ timestep }) => timestep) : [flawed ? 1 : 999];
    const extra = { timesteps, totalMillis: row.steps > 1 ? 9120 : 1340, ...(row.steps > 1 ? { stdOverSteps: std } : {}) };
    events.push({ type: "result", result: resultOf(row, "depth", noisy(depth, flawed ? 1.6 : row.steps > 1 ? 0 : 0.03), extra) });
    events.push({ type: "result", result: resultOf(row, "normals", noisy(normals, flawed ? 2.4 : row.steps > 1 ? 0 : 0.06), extra) });
  }
  return [{ type: "thumbnail", image, thumbnail }, { type: "started", generation, image, settings }, ...events.map((item) => event(generation, item)), { type: "finished", generation, elapsedMillis: 21_400 }];
}
