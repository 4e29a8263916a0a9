/** `answer`, asked once for each key: later questions get the promise of the first, a rejected one too. */
export function onceForEach<Question, Answer>(answer: (question: Question) => Promise<Answer>, keyOf: (question: Question) => unknown = (question) => question): (question: Question) => Promise<Answer> {
  const known = new Map<unknown, Promise<Answer>>();
  return (question) => {
    const key = keyOf(question);
    const found = known.get(key) ?? answer(question);
    known.set(key, found);
    return found;
  };
}
