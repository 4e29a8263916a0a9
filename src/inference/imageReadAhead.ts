import { croppedImage } from "../io/crop";
import { readRgbImage, type ImageFile } from "../io/imageFile";
import type { PredictParams } from "../protocol/inference";

/** Images that are decoded while an earlier request runs. More would only fill the memory. */
const readEarly = 2;

/** A request's image, which may be on its way before the request's turn. */
export interface PendingImage {
  /** Its turn has come. Throws what `readRgbImage` throws. */
  read(): Promise<ImageFile>;
  /** The request is over, or will not be run. */
  done(): void;
}

/** Reads the images of requests that wait, in their order, at most two at a time. */
export class ImageReadAhead {
  private readonly waiting: { start: () => void }[] = [];

  announce({ imagePath, crop }: PredictParams): PendingImage {
    let reading: Promise<ImageFile> | undefined;
    const start = (): Promise<ImageFile> => {
      if (!reading) {
        reading = readRgbImage(imagePath).then((image) => (crop ? croppedImage(image, crop) : image));
        reading.catch(() => undefined); // told when its turn comes
      }
      return reading;
    };
    const entry = { start: () => void start() };
    const leave = (): void => {
      const at = this.waiting.indexOf(entry);
      if (at >= 0) this.waiting.splice(at, 1);
      reading = undefined;
      this.startNext();
    };
    this.waiting.push(entry);
    // The first of them may be about to run; what is announced in this turn waits for it.
    this.startNext();
    return {
      read: () => {
        const image = start();
        leave();
        return image;
      },
      done: leave,
    };
  }

  private startNext(): void {
    for (const { start } of this.waiting.slice(0, readEarly)) start();
  }
}
