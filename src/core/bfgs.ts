/** A function's value and gradient at x. */
export type Objective = (x: Float64Array) => { readonly value: number; readonly gradient: Float64Array };

/** Where the minimiser stopped. */
export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
}

/**
 * Minimises by BFGS (Nocedal and Wright, algorithm 6.1) with a backtracking line search (algorithm 3.1, Armijo).
 * The first step is at most `firstStep` long, because the inverse Hessian has no scale yet. Stops after
 * `maxIterations`, when the gradient's largest component is below `tolerance`, or when no step lowers the value.
 */
export function minimizeBfgs(objective: Objective, start: Float64Array, maxIterations: number, tolerance: number, firstStep: number): Minimum {
  const n = start.length;
  let inverseHessian: Float64Array | undefined;
  let x = start;
  let { value, gradient } = objective(x);
  let iterations = 0;
  for (; iterations < maxIterations; iterations++) {
    if (gradient.reduce((largest, g) => Math.max(largest, Math.abs(g)), 0) < tolerance) break;
    const direction = inverseHessian ? descent(inverseHessian, gradient) : gradient.map((g) => -g);
    const slope = dot(direction, gradient);
    let length = inverseHessian ? 1 : Math.min(1, firstStep / Math.sqrt(dot(gradient, gradient)));
    let next = advance(x, direction, length);
    let result = objective(next);
    while (!(result.value <= value + 1e-4 * length * slope)) {
      length /= 2;
      if (length < 1e-6) return { x, value, iterations };
      next = advance(x, direction, length);
      result = objective(next);
    }
    const moved = next.map((v, i) => v - x[i]);
    const change = result.gradient.map((g, i) => g - gradient[i]);
    const curvature = dot(moved, change);
    // Without positive curvature the update would lose positive definiteness.
    if (curvature > 1e-12) {
      inverseHessian = update(inverseHessian ?? scaledIdentity(n, curvature / dot(change, change)), moved, change, curvature);
    }
    x = next;
    ({ value, gradient } = result);
  }
  return { x, value, iterations };
}

/** H <- (I - rho s y') H (I - rho y s') + rho s s', with s `moved`, y `change`, rho = 1 / s'y. */
function update(inverseHessian: Float64Array, moved: Float64Array, change: Float64Array, curvature: number): Float64Array {
  const n = moved.length;
  const rho = 1 / curvature;
  const image = descent(inverseHessian, change).map((v) => -v);
  const factor = rho * (1 + rho * dot(change, image));
  const out = inverseHessian.slice();
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      out[i * n + j] += factor * moved[i] * moved[j] - rho * (image[i] * moved[j] + moved[i] * image[j]);
    }
  }
  return out;
}

/** -H v. */
function descent(inverseHessian: Float64Array, vector: Float64Array): Float64Array {
  const n = vector.length;
  return vector.map((_, i) => -dot(inverseHessian.subarray(i * n, (i + 1) * n), vector));
}

function scaledIdentity(n: number, scale: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) out[i * n + i] = scale;
  return out;
}

function advance(x: Float64Array, direction: Float64Array, length: number): Float64Array {
  return x.map((v, i) => v + length * direction[i]);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
