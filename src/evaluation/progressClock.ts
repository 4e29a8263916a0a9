/** Images over which the rate is taken: recent enough to follow a change, many enough to be steady. */
const window = 50;

/** How fast images are finished, and how long the rest will take; time in which the run is paused does not count. */
export class ProgressClock {
  /** Active milliseconds at which the last images were finished. */
  readonly #finished: number[];
  #activeMillis = 0;
  #since: number | undefined;

  /** `now` gives milliseconds of a clock that only goes forward. */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.#since = now();
    this.#finished = [0];
  }

  pause(): void {
    this.#activeMillis = this.#active();
    this.#since = undefined;
  }

  resume(): void {
    this.#since ??= this.now();
  }

  /** One more image is done. */
  tick(): void {
    this.#finished.push(this.#active());
    if (this.#finished.length > window + 1) this.#finished.shift();
  }

  /** Images a second, and milliseconds until `left` more are done; nothing before the first. */
  rate(left: number): { readonly imagesPerSecond?: number; readonly remainingMillis?: number } {
    const images = this.#finished.length - 1;
    const millis = this.#finished[images] - this.#finished[0];
    if (images === 0 || millis <= 0) return {};
    return { imagesPerSecond: (1000 * images) / millis, remainingMillis: (left * millis) / images };
  }

  #active(): number {
    return this.#activeMillis + (this.#since === undefined ? 0 : this.now() - this.#since);
  }
}
