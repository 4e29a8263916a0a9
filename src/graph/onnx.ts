import protobuf from "protobufjs/light";

// The part of onnx/onnx.proto that Plumbline emits. "L12" is line 12 of that file at
// https://github.com/onnx/onnx/blob/f7546912001bc31e92a238b17068a21b373d882e/onnx/onnx.proto

/** ModelProto.ir_version: IR_VERSION_2024_3_25, L113. */
const irVersion = 10;
/** Operator sets: ai.onnx 21 is the first whose GroupNormalization takes one scale per channel. */
const opsets = [
  { domain: "", version: 21 },
  { domain: "com.microsoft", version: 1 },
];

/** TensorProto.DataType, L610. */
export const dataType = {
  FLOAT: 1, // L612
  UINT8: 2, // L613
  INT64: 7, // L618
  FLOAT16: 10, // L624
  DOUBLE: 11, // L626
  BFLOAT16: 16, // L635
} as const;
export type DataType = (typeof dataType)[keyof typeof dataType];

/** AttributeProto.AttributeType, L144. */
const attributeType = {
  FLOAT: 1, // L146
  INT: 2, // L147
  STRING: 3, // L148
  INTS: 7, // L155
} as const;

/** TensorProto.DataLocation.EXTERNAL, L768. */
const externalLocation = 1;

/** A whole number becomes INT unless wrapped: `{ float: 1 }`. */
export type Attribute = number | { readonly float: number } | string | readonly number[];

export interface Node {
  readonly name: string;
  readonly opType: string;
  /** "" for ai.onnx. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Constant data: inside the graph, or a range of a file of the weights folder. */
export interface Initializer {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: DataType;
  readonly data: Uint8Array | { readonly location: string; readonly offset: number; readonly byteLength: number };
}

/** An input or output; a string is the name of a dynamic dimension. */
export interface ValueInfo {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly (number | string)[];
}

export interface GraphParts {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

/** The bytes of a ModelProto. */
export function encodeModel(graph: GraphParts): Uint8Array {
  const message = {
    irVersion,
    producerName: "plumbline",
    graph: {
      name: graph.name,
      node: graph.nodes.map(nodeProto),
      initializer: graph.initializers.map(tensorProto),
      input: graph.inputs.map(valueInfoProto),
      output: graph.outputs.map(valueInfoProto),
    },
    opsetImport: opsets,
  };
  return modelProto.encode(modelProto.fromObject(message)).finish();
}

/** The nodes and initializers of an encoded model, for looking at what was built. */
export function decodeModel(model: Uint8Array): { nodes: Node[]; initializerNames: string[] } {
  const { graph } = modelProto.toObject(modelProto.decode(model), { arrays: true, defaults: true, longs: Number }) as {
    graph: { node: { name: string; opType: string; domain: string; input: string[]; output: string[]; attribute: { name: string; i: number; f: number; type: number }[] }[]; initializer: { name: string }[] };
  };
  const nodes = graph.node.map(({ name, opType, domain, input, output, attribute }) => ({
    name, opType, domain, inputs: input, outputs: output,
    attributes: Object.fromEntries(attribute.map((a) => [a.name, a.type === attributeType.FLOAT ? { float: a.f } : a.i])),
  }));
  return { nodes, initializerNames: graph.initializer.map(({ name }) => name) };
}

function nodeProto({ name, opType, domain, inputs, outputs, attributes }: Node) {
  return { name, opType, domain, input: inputs, output: outputs, attribute: Object.entries(attributes).map(attributeProto) };
}

function attributeProto([name, value]: [string, Attribute]) {
  if (typeof value === "number") return { name, i: value, type: attributeType.INT };
  if (typeof value === "string") return { name, s: Buffer.from(value), type: attributeType.STRING };
  if ("float" in value) return { name, f: value.float, type: attributeType.FLOAT };
  return { name, ints: value, type: attributeType.INTS };
}

function tensorProto({ name, dims, type, data }: Initializer) {
  if (data instanceof Uint8Array) return { name, dims, dataType: type, rawData: data };
  const externalData = Object.entries({ location: data.location, offset: data.offset, length: data.byteLength });
  return { name, dims, dataType: type, dataLocation: externalLocation, externalData: externalData.map(([key, value]) => ({ key, value: String(value) })) };
}

function valueInfoProto({ name, type, dims }: ValueInfo) {
  const dim = dims.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: type, shape: { dim } } } };
}

/** Field numbers as in the .proto file; every message is proto2 without required fields. */
const modelProto = protobuf.Root.fromJSON({
  nested: {
    ModelProto: { // L450
      fields: {
        irVersion: { type: "int64", id: 1 },
        producerName: { type: "string", id: 2 },
        graph: { type: "GraphProto", id: 7 },
        opsetImport: { rule: "repeated", type: "OperatorSetIdProto", id: 8 },
      },
    },
    OperatorSetIdProto: { fields: { domain: { type: "string", id: 1 }, version: { type: "int64", id: 2 } } }, // L928
    GraphProto: { // L565
      fields: {
        node: { rule: "repeated", type: "NodeProto", id: 1 },
        name: { type: "string", id: 2 },
        initializer: { rule: "repeated", type: "TensorProto", id: 5 },
        input: { rule: "repeated", type: "ValueInfoProto", id: 11 },
        output: { rule: "repeated", type: "ValueInfoProto", id: 12 },
      },
    },
    NodeProto: { // L224
      fields: {
        input: { rule: "repeated", type: "string", id: 1 },
        output: { rule: "repeated", type: "string", id: 2 },
        name: { type: "string", id: 3 },
        opType: { type: "string", id: 4 },
        attribute: { rule: "repeated", type: "AttributeProto", id: 5 },
        domain: { type: "string", id: 7 },
      },
    },
    AttributeProto: { // L138
      fields: {
        name: { type: "string", id: 1 },
        f: { type: "float", id: 2 },
        i: { type: "int64", id: 3 },
        s: { type: "bytes", id: 4 },
        ints: { rule: "repeated", type: "int64", id: 8, options: { packed: false } },
        type: { type: "int32", id: 20 },
      },
    },
    TensorProto: { // L608
      fields: {
        dims: { rule: "repeated", type: "int64", id: 1, options: { packed: false } },
        dataType: { type: "int32", id: 2 },
        name: { type: "string", id: 8 },
        rawData: { type: "bytes", id: 9 },
        externalData: { rule: "repeated", type: "StringStringEntryProto", id: 13 },
        dataLocation: { type: "int32", id: 14 },
      },
    },
    StringStringEntryProto: { fields: { key: { type: "string", id: 1 }, value: { type: "string", id: 2 } } }, // L543
    ValueInfoProto: { fields: { name: { type: "string", id: 1 }, type: { type: "TypeProto", id: 2 } } }, // L205
    TypeProto: { // L838
      fields: { tensorType: { type: "Tensor", id: 1 } },
      nested: { Tensor: { fields: { elemType: { type: "int32", id: 1 }, shape: { type: "TensorShapeProto", id: 2 } } } }, // L840
    },
    TensorShapeProto: { // L819
      fields: { dim: { rule: "repeated", type: "Dimension", id: 1 } },
      nested: { Dimension: { fields: { dimValue: { type: "int64", id: 1 }, dimParam: { type: "string", id: 2 } } } }, // L820
    },
  },
}).lookupType("ModelProto");
