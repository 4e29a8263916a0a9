import { mapFromHalf, type HalfMap } from "../src/core/half";
import type { FloatMap } from "../src/core/image";
import type { MapRef } from "../src/protocol/inference";

export interface MapLimits {
  /** Bytes of maps as they came; the least recently used go first. */
  readonly storedBytes: number;
  /** Bytes of floats decoded from them that are kept at hand. */
  readonly decodedBytes: number;
  /** Questions under way at the same time. */
  readonly asked: number;
  /** Of these at most for maps that nobody wants yet. */
  readonly expected: number;
}

/** 256 MB together: a step of 768 x 576 pixels is 0.9 MB of depth and 2.7 MB of normals, and twice that when decoded. */
const usualLimits: MapLimits = { storedBytes: 160e6, decodedBytes: 96e6, asked: 4, expected: 2 };

/** Maps wanted while others are under way; a quick scrub leaves only its last ones waiting. */
const longestQueue = 16;

export interface MapSource {
  ask(ref: MapRef): Promise<{ readonly map: HalfMap | FloatMap }>;
  arrived(): void;
  failed(error: unknown): void;
}

/**
 * The maps of steps and members that the page holds: bounded in bytes, each asked for once when it is not here.
 * Halves stay halves and are decoded for use; while a decoded map is in use anywhere it stays the same object,
 * so that it is not sent to the graphics device again.
 */
export class MapStore {
  readonly #stored = new Recent<HalfMap | FloatMap>();
  readonly #decoded = new Recent<FloatMap>();
  readonly #inUse = new Map<string, WeakRef<FloatMap>>();
  /** Whether each is wanted, or only expected to be. */
  readonly #underWay = new Map<string, boolean>();
  readonly #failed = new Set<string>();
  #queue: readonly MapRef[] = [];
  #expected: readonly MapRef[] = [];

  constructor(private readonly source: MapSource, private readonly limits: MapLimits = usualLimits) {}

  /** Bytes of everything held. */
  get bytes(): number {
    return this.#stored.bytes + this.#decoded.bytes;
  }

  put(ref: MapRef, map: HalfMap | FloatMap): void {
    const key = keyOf(ref);
    // The same run gives the same map: what is drawn already need not be drawn anew.
    if (this.#stored.get(key)) return;
    this.#decoded.delete(key);
    this.#inUse.delete(key);
    this.#stored.set(key, map);
    for (const dropped of this.#stored.shrink(this.limits.storedBytes)) this.#decoded.delete(dropped);
  }

  /** The map as it came, when it is here. */
  stored(ref: MapRef): HalfMap | FloatMap | undefined {
    return this.#stored.get(keyOf(ref));
  }

  /** The map as floats, when it is here. */
  get(ref: MapRef): FloatMap | undefined {
    const key = keyOf(ref);
    const stored = this.#stored.get(key);
    const known = this.#decoded.get(key) ?? this.#inUse.get(key)?.deref();
    if (known || !stored) return known;
    if (stored.data instanceof Float32Array) return stored as FloatMap;
    const map = mapFromHalf(stored as HalfMap);
    this.#decoded.set(key, map);
    this.#decoded.shrink(this.limits.decodedBytes);
    this.#inUse.set(key, new WeakRef(map));
    return map;
  }

  /** Asks for a map unless it is here, the last one asked for first; `arrived` tells. One that was refused is not asked for again. */
  request(ref: MapRef): void {
    const key = keyOf(ref);
    if (this.#stored.get(key) || this.#failed.has(key)) return;
    if (this.#underWay.has(key)) {
      this.#underWay.set(key, true);
      return;
    }
    this.#queue = [...this.#queue.filter((other) => keyOf(other) !== key), ref].slice(-longestQueue);
    this.#askNext();
  }

  /** Maps that may be requested soon, the likeliest first, in place of those expected before: asked for while nothing else is. */
  expect(refs: readonly MapRef[]): void {
    this.#expected = refs;
    this.#askNext();
  }

  /** What was refused may be there now: a run is complete. */
  forgetFailures(): void {
    this.#failed.clear();
  }

  #askNext(): void {
    if (this.#underWay.size >= this.limits.asked) return;
    const wanted = this.#queue.at(-1);
    if (wanted) {
      this.#queue = this.#queue.slice(0, -1);
      this.#ask(wanted, true);
    } else if (this.#underWay.size < this.limits.expected && ![...this.#underWay.values()].includes(true)) {
      const [next, ...rest] = this.#expected.filter((ref) => !this.#isKnown(keyOf(ref)));
      this.#expected = rest;
      if (next) this.#ask(next, false);
    }
  }

  #isKnown(key: string): boolean {
    return this.#stored.get(key) !== undefined || this.#underWay.has(key) || this.#failed.has(key);
  }

  #ask(ref: MapRef, wanted: boolean): void {
    const key = keyOf(ref);
    this.#underWay.set(key, wanted);
    void this.source
      .ask(ref)
      .then(({ map }) => this.put(ref, map))
      .catch((error: unknown) => {
        // One that nobody has wanted is asked for again when somebody does.
        if (!this.#underWay.get(key)) return;
        this.#failed.add(key);
        this.source.failed(error);
      })
      .finally(() => {
        const isWanted = this.#underWay.get(key);
        this.#underWay.delete(key);
        if (isWanted) this.source.arrived();
        this.#askNext();
      });
    this.#askNext();
  }
}

/** Maps in the order of their last use, with the sum of their bytes. */
class Recent<T extends { readonly data: { readonly byteLength: number } }> {
  readonly #maps = new Map<string, T>();
  bytes = 0;

  get(key: string): T | undefined {
    const map = this.#maps.get(key);
    if (!map) return undefined;
    this.#maps.delete(key);
    this.#maps.set(key, map);
    return map;
  }

  set(key: string, map: T): void {
    this.delete(key);
    this.#maps.set(key, map);
    this.bytes += map.data.byteLength;
  }

  delete(key: string): void {
    this.bytes -= this.#maps.get(key)?.data.byteLength ?? 0;
    this.#maps.delete(key);
  }

  /** Drops the least recently used until the rest fits; the last one stays. Returns the keys of the dropped. */
  shrink(limit: number): string[] {
    const dropped: string[] = [];
    for (const key of this.#maps.keys()) {
      if (this.bytes <= limit || this.#maps.size === 1) break;
      this.delete(key);
      dropped.push(key);
    }
    return dropped;
  }
}

function keyOf(ref: MapRef): string {
  switch (ref.kind) {
    case "result":
      return `result ${ref.runKey}`;
    case "step":
      return `step ${ref.runKey} ${ref.step}`;
    case "member":
      return `member ${ref.runKey} ${ref.member}`;
    case "file":
      return `file ${ref.task} ${ref.path}`;
  }
}
