import { unexpected } from "./errors";
import type { FloatMap } from "./image";
import { normalized } from "./normals";

/*
 * Ensembling of normals: E members n_e, mean direction m = sum n_e / |sum n_e| per pixel.
 */

/** Normals, and the mean angle of the members to m divided by pi (0..1). */
export interface NormalsEnsemble {
  readonly prediction: FloatMap;
  readonly uncertainty: FloatMap;
}

/**
 * diffusers' `ensemble_normals`: `mean` gives m, `closest` per pixel the member with the largest cosine to m.
 * Members have (nearly) unit length. Throws `bad-argument` for no member or members of different size.
 */
export function ensembleNormals(members: readonly FloatMap[], reduction: "closest" | "mean"): NormalsEnsemble {
  requireMembers(members);
  const direction = meanDirection(members);
  const closest = new Float32Array(direction.data.length);
  const angles = new Float32Array(closest.length / 3);
  for (let p = 0; p < angles.length; p++) {
    let best = -Infinity;
    let angleSum = 0;
    for (const { data } of members) {
      const cosine = clipToUnit(dotAt(data, direction.data, 3 * p));
      angleSum += Math.acos(cosine);
      if (cosine > best) {
        best = cosine;
        closest.set(data.subarray(3 * p, 3 * p + 3), 3 * p);
      }
    }
    angles[p] = angleSum / members.length / Math.PI;
  }
  const prediction = reduction === "mean" ? direction : { ...members[0], data: closest };
  return { prediction, uncertainty: { ...members[0], channels: 1, data: angles } };
}

/**
 * The rule of the E2E-FT and GeoWizard code: returns one whole member (normalised by x / (|x| + 1e-5)), the one with the
 * least total angle to the direction whose spherical angles are the members' means.
 */
export function chooseNormalsMember(members: readonly FloatMap[]): { readonly prediction: FloatMap; readonly member: number } {
  requireMembers(members);
  const units = members.map((member) => normalized(member, "marigold"));
  const totals = new Float64Array(members.length);
  const reference = new Float64Array(3);
  for (let i = 0; i < units[0].data.length; i += 3) {
    sphericalMean(units, i, reference);
    units.forEach(({ data }, e) => {
      const length = Math.sqrt(data[i] ** 2 + data[i + 1] ** 2 + data[i + 2] ** 2);
      const cosine = (data[i] * reference[0] + data[i + 1] * reference[1] + data[i + 2] * reference[2]) / Math.max(length, 1e-8);
      totals[e] += Math.acos(Math.min(0.999, Math.max(-0.999, cosine)));
    });
  }
  const member = totals.indexOf(Math.min(...totals));
  return { prediction: units[Math.max(0, member)], member: Math.max(0, member) };
}

/** Mean azimuth phi = atan2(y, x) and polar angle theta = atan2(|(x, y)|, z) over the members, as a unit vector. */
function sphericalMean(units: readonly FloatMap[], i: number, out: Float64Array): void {
  let phi = 0;
  let theta = 0;
  for (const { data } of units) {
    phi += Math.atan2(data[i + 1], data[i]) / units.length;
    theta += Math.atan2(Math.sqrt(data[i] ** 2 + data[i + 1] ** 2), data[i + 2]) / units.length;
  }
  out[0] = Math.sin(theta) * Math.cos(phi);
  out[1] = Math.sin(theta) * Math.sin(phi);
  out[2] = Math.cos(theta);
}

function meanDirection(members: readonly FloatMap[]): FloatMap {
  const data = new Float32Array(members[0].data.length);
  for (let i = 0; i < data.length; i++) {
    let sum = 0;
    for (const member of members) sum += member.data[i];
    data[i] = sum / members.length;
  }
  for (let i = 0; i < data.length; i += 3) {
    const length = Math.max(1e-6, Math.sqrt(dotAt(data, data, i)));
    for (let c = 0; c < 3; c++) data[i + c] /= length;
  }
  return { ...members[0], data };
}

function dotAt(a: Float32Array, b: Float32Array, i: number): number {
  return a[i] * b[i] + a[i + 1] * b[i + 1] + a[i + 2] * b[i + 2];
}

function clipToUnit(value: number): number {
  return Math.min(1, Math.max(-1, value));
}

function requireMembers(members: readonly FloatMap[]): void {
  if (members.length === 0) throw unexpected("bad-argument", "ensemble", "at least one member", "none");
  const odd = members.find((m) => m.channels !== 3 || m.width !== members[0].width || m.height !== members[0].height);
  if (odd) throw unexpected("bad-argument", "ensemble member", `${members[0].width} x ${members[0].height} x 3`, `${odd.width} x ${odd.height} x ${odd.channels}`);
}
