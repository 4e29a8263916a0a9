import { damaged } from "./jsonFile";

// A reader of Python pickles (protocols 2 to 5) that runs nothing. A pickle is a program for a stack machine; the
// instructions that make plain values are carried out here, those that would import or call something only select an
// entry of a list of known names. A call of any other leaves an empty place. Opcodes: CPython, Lib/pickletools.py.

/** What a pickle may refer to. */
export interface PickleRules {
  /** By full name ("module.name"), what calling it with positional arguments stands for here. */
  readonly names: ReadonlyMap<string, (args: readonly unknown[]) => unknown>;
  /** What a persistent id, the pickle's word for data kept beside it, stands for. */
  persistent(id: unknown): unknown;
  /** The error for anything else; `found` is a phrase. */
  refused(found: string): Error;
}

/** A name of Python's, known or not, where the pickle passes it on as a value. Nothing is behind it. */
export class PickledName {
  constructor(readonly name: string) {}
}

/** The place of an object that a call of an unknown name would make. It is never made; what the pickle puts into it is dropped. */
export class OpaqueObject {
  constructor(
    readonly name: string,
    readonly args: readonly unknown[],
  ) {}
}

/**
 * The value of a pickle: dictionaries are Maps, lists and tuples arrays, whole numbers numbers or (beyond 2^53) bigints.
 * Lists and dictionaries may occur in several places, and in themselves. Objects of other classes are `OpaqueObject`s.
 * Throws what `rules.refused` makes of other content, `bad-model` naming `subject` for damaged bytes.
 */
export function parsePickle(bytes: Buffer, subject: string, rules: PickleRules): unknown {
  const machine = new Machine(bytes, subject, rules);
  for (;;) {
    const opcode = machine.byte();
    if (opcode === stop) return machine.pop();
    const run = instructions.get(opcode);
    if (!run) throw rules.refused(`the pickle instruction 0x${opcode.toString(16).padStart(2, "0")}`);
    run(machine);
  }
}

const stop = 0x2e;

class Machine {
  readonly memo = new Map<number, unknown>();
  private stack: unknown[] = [];
  private readonly below: unknown[][] = [];
  private position = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly subject: string,
    readonly rules: PickleRules,
  ) {}

  /** The next `length` bytes of the program. */
  take(length: number): Buffer {
    const end = this.position + length;
    if (end > this.bytes.length) throw this.broken(`${length} bytes at ${this.position}`, `${this.bytes.length - this.position} bytes (truncated)`);
    const part = this.bytes.subarray(this.position, end);
    this.position = end;
    return part;
  }

  byte(): number {
    return this.take(1)[0];
  }

  text(length: number): string {
    return this.take(length).toString("utf8");
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.broken("a line", "no end of it (truncated)");
    const text = this.text(end - this.position);
    this.position = end + 1;
    return text;
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length === 0) throw this.broken("a value", "an empty stack");
    return this.stack.pop();
  }

  top(): unknown {
    const value = this.pop();
    this.push(value);
    return value;
  }

  mark(): void {
    this.below.push(this.stack);
    this.stack = [];
  }

  /** Everything since the last mark. */
  popToMark(): unknown[] {
    const items = this.stack;
    const below = this.below.pop();
    if (!below) throw this.broken("a mark", "none");
    this.stack = below;
    return items;
  }

  /** A list or dictionary that an instruction wants on top of the stack; undefined where an opaque object has its place. */
  container<T extends unknown[] | Map<unknown, unknown>>(isKind: (value: unknown) => value is T, kind: string): T | undefined {
    const value = this.top();
    if (value instanceof OpaqueObject) return undefined;
    if (!isKind(value)) throw this.broken(kind, `a ${typeof value}`);
    return value;
  }

  name(module: unknown, name: unknown): PickledName {
    if (typeof module !== "string" || typeof name !== "string" || module.length + name.length > 200) throw this.broken("a module and a name", "something else");
    return new PickledName(`${module}.${name}`);
  }

  recall(key: number): void {
    if (!this.memo.has(key)) throw this.broken(`a value kept as ${key}`, "none");
    this.push(this.memo.get(key));
  }

  broken(expected: string, found: string): Error {
    return damaged(this.subject, expected, found);
  }
}

const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isDictionary = (value: unknown): value is Map<unknown, unknown> => value instanceof Map;

/** Items of a dictionary, as key, value, key, value. */
function setItems(machine: Machine, items: readonly unknown[]): void {
  const dictionary = machine.container(isDictionary, "a dictionary");
  if (items.length % 2 !== 0) throw machine.broken("keys with values", "a key without one");
  for (let i = 0; i < items.length; i += 2) dictionary?.set(items[i], items[i + 1]);
}

function append(machine: Machine, items: readonly unknown[]): void {
  const list = machine.container(isList, "a list");
  for (const item of items) list?.push(item);
}

function call(machine: Machine): void {
  const args = machine.pop();
  const callee = machine.pop();
  if (!isList(args)) throw machine.broken("a tuple of arguments", `a ${typeof args}`);
  if (!(callee instanceof PickledName)) throw machine.rules.refused("a call of a value");
  const stand = machine.rules.names.get(callee.name);
  machine.push(stand ? stand(args) : new OpaqueObject(callee.name, args));
}

/** Attributes of an ordered dictionary (PyTorch keeps versions there) and of what is opaque are dropped; no other object has any. */
function build(machine: Machine): void {
  machine.pop();
  const object = machine.top();
  if (!isDictionary(object) && !(object instanceof OpaqueObject)) throw machine.rules.refused("an object with attributes");
}

/** Two's complement, little-endian. */
function long(bytes: Buffer): number | bigint {
  const digits = [...bytes].reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const value = BigInt.asIntN(8 * bytes.length, digits);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const instructions: ReadonlyMap<number, (m: Machine) => void> = new Map([
  [0x80, (m) => void m.byte()], // PROTO
  [0x95, (m) => void m.take(8)], // FRAME
  [0x28, (m) => m.mark()], // MARK
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4a, (m) => m.push(m.take(4).readInt32LE())], // BININT
  [0x4b, (m) => m.push(m.byte())], // BININT1
  [0x4d, (m) => m.push(m.take(2).readUInt16LE())], // BININT2
  [0x8a, (m) => m.push(long(m.take(m.byte())))], // LONG1
  [0x47, (m) => m.push(m.take(8).readDoubleBE())], // BINFLOAT
  [0x58, (m) => m.push(m.text(m.take(4).readUInt32LE()))], // BINUNICODE
  [0x8c, (m) => m.push(m.text(m.byte()))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.text(Number(m.take(8).readBigUInt64LE())))], // BINUNICODE8
  [0x7d, (m) => m.push(new Map())], // EMPTY_DICT
  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x29, (m) => m.push([])], // EMPTY_TUPLE
  [0x74, (m) => m.push(m.popToMark())], // TUPLE
  [0x85, (m) => m.push([m.pop()])], // TUPLE1
  [0x86, (m) => m.push([m.pop(), m.pop()].reverse())], // TUPLE2
  [0x87, (m) => m.push([m.pop(), m.pop(), m.pop()].reverse())], // TUPLE3
  [0x61, (m) => append(m, [m.pop()])], // APPEND
  [0x65, (m) => append(m, m.popToMark())], // APPENDS
  [0x73, (m) => { const value = m.pop(); setItems(m, [m.pop(), value]); }], // SETITEM
  [0x75, (m) => setItems(m, m.popToMark())], // SETITEMS
  [0x71, (m) => void m.memo.set(m.byte(), m.top())], // BINPUT
  [0x72, (m) => void m.memo.set(m.take(4).readUInt32LE(), m.top())], // LONG_BINPUT
  [0x94, (m) => void m.memo.set(m.memo.size, m.top())], // MEMOIZE
  [0x68, (m) => m.recall(m.byte())], // BINGET
  [0x6a, (m) => m.recall(m.take(4).readUInt32LE())], // LONG_BINGET
  [0x63, (m) => m.push(m.name(m.line(), m.line()))], // GLOBAL
  [0x93, (m) => { const name = m.pop(); m.push(m.name(m.pop(), name)); }], // STACK_GLOBAL
  [0x52, call], // REDUCE
  [0x81, call], // NEWOBJ: a class without its initialiser, which here is no difference
  [0x62, build], // BUILD
  [0x51, (m) => m.push(m.rules.persistent(m.pop()))], // BINPERSID
]);
