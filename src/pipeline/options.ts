import { PlumblineError, unexpected } from "../core/errors";
import { decoders, domains, type RunSettings } from "../core/settings";

/** Above this a float map of one channel alone takes a gigabyte. */
const maxProcessingResolution = 16384;

/**
 * Checks everything that changes the numbers of a run, before anything is loaded.
 * Throws `bad-argument` naming the setting, what was expected and what was received.
 */
export function validateSettings(settings: RunSettings): void {
  const { steps, spacing, ensembleSize, noise, seed, processingResolution, domain, decoder } = settings;
  requireWhole("steps", steps, 1, 1000);
  requireWhole("ensemble size", ensembleSize, 1, 100);
  requireWhole("seed", seed, 0, 2 ** 32 - 1);
  requireWhole("processing resolution", processingResolution, 0, maxProcessingResolution);
  if (!["trailing", "leading", "linspace"].includes(spacing)) throw unexpected("bad-argument", "timestep spacing", "trailing, leading or linspace", spacing);
  if (!["gaussian", "pyramid", "zeros", "file"].includes(noise.kind)) throw unexpected("bad-argument", "noise", "gaussian, pyramid, zeros or a file", noise.kind);
  requireChoice("domain", domain, domains);
  requireChoice("decoder", decoder, decoders);
  if (noise.kind === "zeros" && ensembleSize > 1) {
    throw new PlumblineError("bad-argument", `Expected an ensemble size of 1 for zeros noise but received ${ensembleSize}: all members would be the same.`, "Choose gaussian noise for an ensemble.");
  }
}

/**
 * Checks what only some families have. Throws `bad-argument` for a setting that would change nothing about a model; spacing and
 * seed, which every run states, are left alone.
 */
export function validateForFamily(family: string, { domain, decoder }: RunSettings): void {
  if (domain !== undefined && family !== "geowizard") throw new PlumblineError("bad-argument", `Expected no domain for a model of the family ${family} but received "${domain}".`, "Leave the domain out: only GeoWizard is told it.");
  if (decoder === "tiny" && family === "feedforward") throw new PlumblineError("bad-argument", "Expected no tiny decoder for a feed-forward model, which decodes nothing.", "Leave the decoder out.");
}

function requireChoice(name: string, value: string | undefined, choices: readonly string[]): void {
  if (value !== undefined && !choices.includes(value)) throw unexpected("bad-argument", name, choices.join(", "), value);
}

function requireWhole(name: string, value: number, lowest: number, highest: number): void {
  if (!Number.isInteger(value) || value < lowest || value > highest) throw unexpected("bad-argument", name, `a whole number from ${lowest} to ${highest}`, value);
}
