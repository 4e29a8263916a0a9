import { readFile } from "node:fs/promises";
import sharp from "sharp";

/** A small picture of an image file, and the size of the image itself after EXIF orientation. */
export interface ThumbnailFile {
  /** A data: URI of a JPEG. */
  readonly source: string;
  readonly width: number;
  readonly height: number;
}

/** Reads an image file as a picture whose longest side has at most `side` pixels. Rejects as sharp does for what is no image. */
export async function readThumbnailFile(path: string, side = 160): Promise<ThumbnailFile> {
  const bytes = await readFile(path); // sharp would keep the file open, and locked on Windows
  const { width, height, autoOrient } = await sharp(bytes).metadata();
  const jpeg = await sharp(bytes).autoOrient().resize(side, side, { fit: "inside", withoutEnlargement: true }).flatten({ background: "white" }).jpeg({ quality: 75 }).toBuffer();
  return { source: `data:image/jpeg;base64,${jpeg.toString("base64")}`, width: autoOrient?.width ?? width, height: autoOrient?.height ?? height };
}

/** Width and height of an image file in pixels, as it is stored; only its header is read. Rejects as sharp does for what is no image. */
export async function readImageSize(path: string): Promise<{ width: number; height: number }> {
  const { width, height } = await sharp(path).metadata();
  return { width, height };
}
