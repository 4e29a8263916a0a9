import { readCachedMap } from "../cache/runReader";
import type { Ask, QuestionName, Questions } from "../protocol/panel";
import { chooseTruth, saveAnimation, saveFigure, saveFiles } from "./pageFiles";
import { saveSession } from "./sessionSave";
import type { Services } from "./services";

/** Answers one question of a page. What it throws is told to the page; `cancelled` once nobody waits for the answer. */
export async function answerTo(ask: Ask, services: Services, signal: AbortSignal): Promise<Questions[QuestionName]["result"]> {
  const { engine, cacheDir } = services;
  switch (ask.name) {
    case "map":
      // Read here, by its place in the file: the engine may be busy for seconds, and a scrubber waits for nobody.
      return ask.params.kind === "file" ? engine.readMap(ask.params) : { map: await readCachedMap(cacheDir, ask.params) };
    case "spread":
      return engine.spread({ ...ask.params, cacheDir }, { signal });
    case "curves":
      return engine.curves({ ...ask.params, cacheDir }, { signal });
    case "series":
      return engine.series({ ...ask.params, cacheDir }, { signal });
    case "chooseTruth":
      return chooseTruth();
    case "saveFiles":
      return { files: await saveFiles(ask.params.files, ask.params.provenance) };
    case "saveFigure":
      return { files: await saveFigure(ask.params) };
    case "saveAnimation":
      return { files: await saveAnimation(ask.params) };
    case "saveSession": {
      const file = await saveSession(ask.params.state, await services.models());
      return file === undefined ? {} : { file };
    }
  }
}
