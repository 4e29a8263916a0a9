import assert from "node:assert/strict";
import { mapFromTensor, tensorFromMap, type FloatMap } from "../../src/core/image";
import { decoderInput, depthFromDecoded, encoderInput, latentFromMoments, minMaxNormalized, normalsFromDecoded } from "../../src/core/latent";
import { tensor, type Tensor } from "../../src/core/tensor";
import { assertClose, referenceJson, referenceTensors } from "./coreReference";

describe("core/latent", () => {
  let get: (name: string) => Tensor;
  before(async () => {
    get = await referenceTensors("marigold/io.safetensors");
  });

  const { runs } = referenceJson<{ runs: { name: string; modality: string }[] }>("marigold/cases.json");
  for (const { name, modality } of runs.filter((run) => /^(depth|normals)-/.test(run.name))) {
    it(`maps the decoder's output of ${name}`, () => {
      const decoded = get(`${name}.decoded_raw`);
      if (modality === "depth") {
        const depth = depthFromDecoded(decoded);
        assertClose(depth.data, get(`${name}.output`).data, 1e-6);
        assertClose(minMaxNormalized(depth).data, get(`${name}.output_minmax`).data, 1e-6);
      } else {
        assertClose(tensorFromMap(normalsFromDecoded(decoded)).data, get(`${name}.output`).data, 1e-5);
      }
    });
  }

  it("takes the mean over the decoder's channels, of the image asked for", () => {
    const decoded = tensor(Float32Array.of(9, 9, 9, 9, 9, 9, 0.3, -3, 0.6, -3, 0, 0), [2, 3, 1, 2]);
    assertClose(depthFromDecoded(decoded, 1).data, [0.65, 0], 1e-6);
  });

  it("makes the encoder's input and takes the mean of its moments", () => {
    const image = { width: 2, height: 1, data: Uint8Array.of(0, 255, 51, 255, 0, 102) };
    const input = encoderInput(image);
    assert.deepEqual(input.dims, [1, 3, 1, 2]);
    assertClose(input.data, [-1, 1, 1, -1, -0.6, -0.2], 1e-6);
    const moments = tensor(Float32Array.from({ length: 16 }, (_, i) => i), [2, 8, 1, 1]);
    const latent = latentFromMoments(moments, 0.5);
    assert.deepEqual(latent.dims, [2, 4, 1, 1]);
    assert.deepEqual([...latent.data], [0, 0.5, 1, 1.5, 4, 4.5, 5, 5.5]);
    assert.deepEqual([...decoderInput(latent, 0.5).data], [0, 1, 2, 3, 8, 9, 10, 11]);
    assert.throws(() => latentFromMoments(tensor(new Float32Array(3), [1, 3, 1, 1]), 1), /encoder moments/);
  });

  it("gives a flat map a defined result and leaves what is not finite alone", () => {
    const map = (...values: number[]): FloatMap => ({ width: values.length, height: 1, channels: 1, data: Float32Array.from(values) });
    assert.deepEqual([...minMaxNormalized(map(0.5, 0.5)).data], [0, 0]);
    assert.deepEqual([...minMaxNormalized(map(2, NaN, 4, 3)).data], [0, NaN, 1, 0.5]);
  });

  it("moves maps between planar and interleaved without loss", () => {
    const planar = tensor(Float32Array.from({ length: 24 }, (_, i) => i), [2, 3, 2, 2]);
    const map = mapFromTensor(planar, 1);
    assert.deepEqual([...map.data.subarray(0, 3)], [12, 16, 20]);
    assert.deepEqual(tensorFromMap(map).data, planar.data.subarray(12));
    assert.throws(() => mapFromTensor(planar, 2), /map tensor/);
    assert.throws(() => mapFromTensor(tensor(new Float32Array(4), [1, 4, 1, 1])), /map tensor/);
  });
});
