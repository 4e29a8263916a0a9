import { PlumblineError } from "../core/errors";
import type { Ask, QuestionName, Questions } from "../protocol/panel";
import type { Services } from "./panel";

/** Answers one question of a page; what it throws is told to the page. */
export async function answerTo(ask: Ask, _services: Services): Promise<Questions[QuestionName]["result"]> {
  throw new PlumblineError("unsupported", `Expected a known question but received "${ask.name}".`, "");
}
