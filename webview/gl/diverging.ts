import type { Lut } from "./texture";

/** ColorBrewer's RdBu, blue first: negative blue, zero nearly white, positive red. */
const stops = [0x053061, 0x2166ac, 0x4393c3, 0x92c5de, 0xd1e5f0, 0xf7f7f7, 0xfddbc7, 0xf4a582, 0xd6604d, 0xb2182b, 0x67001f];

/** 256 colours for signed values on a range symmetric about 0, linear between the stops. */
export const diverging: Lut = { name: "RdBu, blue first", lut: Uint8Array.from({ length: 768 }, (_, i) => part((Math.floor(i / 3) / 255) * (stops.length - 1), i % 3)) };

/** Red, green or blue (channel 0, 1, 2) at a place between stops. */
function part(at: number, channel: number): number {
  const low = Math.min(Math.floor(at), stops.length - 2);
  const byte = (stop: number): number => (stop >> (8 * (2 - channel))) & 255;
  return Math.round(byte(stops[low]) + (byte(stops[low + 1]) - byte(stops[low])) * (at - low));
}
