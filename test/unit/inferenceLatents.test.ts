import assert from "node:assert/strict";
import { tensor } from "../../src/core/tensor";
import { LatentStore } from "../../src/inference/imageLatents";

describe("latents of images", () => {
  const latent = (value: number) => tensor(Float32Array.of(value), [1]);
  const size = { width: 4, height: 3 };

  it("are found again for the same image, encoder and size only", () => {
    const store = new LatentStore();
    store.of("image", "encoder").set(size, latent(1));
    assert.deepEqual(store.of("image", "encoder").get(size), latent(1));
    assert.equal(store.of("image", "encoder").get({ width: 3, height: 4 }), undefined);
    assert.equal(store.of("image", "other").get(size), undefined);
    assert.equal(store.of("other", "encoder").get(size), undefined);
  });

  it("are kept of the four images used last", () => {
    const store = new LatentStore();
    for (const image of ["a", "b", "c", "d"]) store.of(image, "encoder").set(size, latent(1));
    assert.ok(store.of("a", "encoder").get(size), "which makes it the last one used");
    store.of("e", "encoder").set(size, latent(5));
    const isKept = (image: string): boolean => store.of(image, "encoder").get(size) !== undefined;
    assert.deepEqual(["c", "d", "a", "e"].map(isKept), [true, true, true, true]);
    assert.equal(isKept("b"), false);
  });
});
