import { PlumblineError, type ErrorCode } from "../core/errors";

/**
 * A two-way pipe of messages. What is posted arrives in order or the channel closes.
 * Nothing here knows whether it is a child process, a webview or a test.
 */
export interface Channel {
  /** Resolves when the message has been handed to the peer's side (back-pressure for large messages). */
  post(message: unknown): Promise<void>;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, with the reason, when nothing more can arrive. */
  onClose(listener: (reason: Error) => void): void;
  close(): void;
}

/** One remote method: what goes in, what is reported while it runs, and what comes out. */
export interface MethodType {
  params: unknown;
  event: unknown;
  result: unknown;
}

/** An interface of methods such as `InferenceApi`; call and handler types are derived from it. */
export type Api<A> = { [M in keyof A]: MethodType };

export interface CallOptions<Event> {
  readonly onEvent?: (event: Event) => void;
  readonly signal?: AbortSignal;
}

export interface Caller<A extends Api<A>> {
  /**
   * Calls a method of the peer. Rejects with the peer's `PlumblineError`; at once with `cancelled` when the
   * signal is aborted (the peer is told, its late answer is dropped); with the reason when the channel closes.
   */
  call<M extends keyof A & string>(method: M, params: A[M]["params"], options?: CallOptions<A[M]["event"]>): Promise<A[M]["result"]>;
}

export interface CallContext<Event> {
  /** Aborted when the caller cancels or the channel closes. */
  readonly signal: AbortSignal;
  /** Sends an event to the caller; awaiting it waits until the event is on its way. */
  readonly report: (event: Event) => Promise<void>;
}

export type Handlers<A extends Api<A>> = {
  readonly [M in keyof A]: (params: A[M]["params"], context: CallContext<A[M]["event"]>) => Promise<A[M]["result"]>;
};

/** An error as it travels: code and remedy survive, the stack stays at home. */
interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

type Wire =
  | { readonly type: "call"; readonly id: number; readonly method: string; readonly params: unknown }
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "event"; readonly id: number; readonly event: unknown }
  | { readonly type: "ok"; readonly id: number; readonly result: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: WireError };

interface Pending {
  readonly onEvent: (event: unknown) => void;
  readonly settle: (outcome: { readonly result: unknown } | { readonly error: Error }) => void;
}

/** The calling end of a channel. Messages that answer no pending call are ignored. */
export function connect<A extends Api<A>>(channel: Channel): Caller<A> {
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let closed: Error | undefined;

  channel.onMessage((message) => {
    if (!isWire(message)) return;
    const call = pending.get(message.id);
    if (message.type === "event") call?.onEvent(message.event);
    else if (message.type === "ok") call?.settle({ result: message.result });
    else if (message.type === "error") call?.settle({ error: errorFromWire(message.error) });
  });
  channel.onClose((reason) => {
    closed = reason;
    for (const call of [...pending.values()]) call.settle({ error: reason });
  });

  return {
    call(method, params, options = {}) {
      const { signal, onEvent } = options;
      if (closed) return Promise.reject(closed);
      if (signal?.aborted) return Promise.reject(cancelledError());
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const abandon = (error: Error): void => {
          settle({ error });
          channel.post({ type: "cancel", id } satisfies Wire).catch(() => undefined); // a closed channel has nothing left to cancel
        };
        const onAbort = (): void => abandon(cancelledError());
        const settle: Pending["settle"] = (outcome) => {
          pending.delete(id);
          signal?.removeEventListener("abort", onAbort);
          if ("error" in outcome) reject(outcome.error);
          else resolve(outcome.result);
        };
        const listen = (event: unknown): void => {
          try {
            onEvent?.(event);
          } catch (error) {
            abandon(asError(error)); // a listener that throws fails its own call, never the channel
          }
        };
        pending.set(id, { onEvent: listen, settle });
        signal?.addEventListener("abort", onAbort, { once: true });
        channel.post({ type: "call", id, method, params } satisfies Wire).catch((error: unknown) => settle({ error: asError(error) }));
      });
    },
  };
}

/** The serving end of a channel: every call is answered exactly once, with a result or an error. */
export function serve<A extends Api<A>>(channel: Channel, handlers: Handlers<A>): void {
  const running = new Map<number, AbortController>();
  const post = (message: Wire): Promise<void> => channel.post(message).catch(() => undefined); // a closed channel: onClose tells

  channel.onMessage((message) => {
    if (!isWire(message)) return;
    if (message.type === "cancel") running.get(message.id)?.abort();
    else if (message.type === "call" && !running.has(message.id)) void answer(message.id, message.method, message.params);
  });
  channel.onClose(() => {
    for (const controller of running.values()) controller.abort();
  });

  async function answer(id: number, method: string, params: unknown): Promise<void> {
    const controller = new AbortController();
    running.set(id, controller);
    let reply: Wire;
    try {
      const result = await handlerOf(method)(params, { signal: controller.signal, report: (event) => post({ type: "event", id, event }) });
      reply = { type: "ok", id, result };
    } catch (error) {
      reply = { type: "error", id, error: wireFromError(error) };
    }
    running.delete(id);
    await channel.post(reply).catch((error: unknown) => post({ type: "error", id, error: wireFromError(error) })); // a result that cannot be sent
  }

  function handlerOf(method: string): (params: unknown, context: CallContext<unknown>) => Promise<unknown> {
    if (!Object.hasOwn(handlers, method)) {
      throw new PlumblineError("protocol-mismatch", `Expected one of ${Object.keys(handlers).join(", ")} for the method but received "${method}".`);
    }
    return handlers[method as keyof A];
  }
}

function cancelledError(): PlumblineError {
  return new PlumblineError("cancelled", "The run was cancelled.");
}

function wireFromError(error: unknown): WireError {
  if (error instanceof PlumblineError) return { code: error.code, message: error.message, remedy: error.remedy };
  return { code: "engine-failed", message: asError(error).message, remedy: "" };
}

function errorFromWire({ code, message, remedy }: WireError): PlumblineError {
  return new PlumblineError(code, message, remedy);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Messages cross a process boundary: nothing about them is taken for granted. */
function isWire(message: unknown): message is Wire {
  if (typeof message !== "object" || message === null) return false;
  const { type, id, method, error } = message as Record<string, unknown>;
  if (typeof id !== "number") return false;
  if (type === "call") return typeof method === "string";
  if (type === "error") return isWireError(error);
  return type === "cancel" || type === "event" || type === "ok";
}

function isWireError(error: unknown): error is WireError {
  if (typeof error !== "object" || error === null) return false;
  const { code, message, remedy } = error as Record<string, unknown>;
  return typeof code === "string" && typeof message === "string" && typeof remedy === "string";
}
