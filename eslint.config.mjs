import tseslint from "typescript-eslint";

/**
 * Who may import what, folder by folder (see ARCHITECTURE.md). A folder may always import itself.
 * `packages` lists the bare module specifiers that it may use.
 */
export const rooms = {
  "src/core": { folders: [], packages: [] },
  "src/protocol": { folders: ["src/core", "src/evaluation/spec", "src/evaluation/spotRun"], packages: [] },
  "src/pipeline": { folders: ["src/core"], packages: [] },
  "src/graph": { folders: ["src/core", "src/io"], packages: ["node:*", "protobufjs"] },
  "src/io": { folders: ["src/core"], packages: ["node:*", "sharp", "fflate", "parse-exr", "yauzl"] },
  "src/cache": { folders: ["src/core", "src/io", "src/protocol"], packages: ["node:*"] },
  "src/catalogue": { folders: ["src/core", "src/io"], packages: ["node:*", "undici", "zod"] },
  "src/evaluation": { folders: ["src/core", "src/io", "src/catalogue"], packages: ["node:*", "picomatch", "zod"] },
  "src/inference": { folders: ["src/core", "src/pipeline", "src/graph", "src/io", "src/cache", "src/catalogue", "src/protocol"], packages: ["node:*", "onnxruntime-node"] },
  "src/doctor": { folders: ["src/core", "src/catalogue", "src/protocol", "src/inference/client"], packages: ["node:*"] },
  "src/cli": { folders: ["src/doctor", "src/core", "src/io", "src/cache", "src/catalogue", "src/evaluation", "src/protocol", "src/inference/client"], packages: ["node:*", "commander", "@observablehq/plot", "linkedom"] },
  "src/extension": { folders: ["src/doctor", "src/core", "src/io", "src/cache", "src/catalogue", "src/evaluation", "src/protocol", "src/inference/client"], packages: ["node:*", "vscode"] },
  webview: { folders: ["src/core", "src/protocol", "src/evaluation/columns", "src/evaluation/spec"], packages: ["@vscode/webview-ui-toolkit", "@observablehq/plot", "three"] },
};

const all = ["src/core", "src/protocol", "src/pipeline", "src/graph", "src/io", "src/cache", "src/catalogue", "src/evaluation", "src/inference", "src/doctor", "src/cli", "src/extension", "webview"];

/** Restricts relative imports to the allowed rooms, and packages to the allowed ones. */
function roomRule(folder, { folders, packages }) {
  const allowed = (target) => folders.some((f) => f === target || f.startsWith(`${target}/`));
  const name = (target) => target.replace("src/", "");
  const forbidden = all.filter((target) => target !== folder && !allowed(target));
  const patterns = [{ regex: `^(\\.\\./)+(src/)?(${forbidden.map(name).join("|")})(/|$)`, message: `${folder} may not import that folder (ARCHITECTURE.md).` }];
  if (folders.includes("src/inference/client")) patterns.push({ regex: "^(\\.\\./)+inference/(?!client$)", message: "Only inference/client is the way to the child process." });
  const bare = packages.map((p) => (p === "node:*" ? "node:" : `${p}(?:$|/)`)).join("|");
  patterns.push({ regex: bare ? `^(?!\\.|${bare})` : "^(?!\\.)", message: `${folder} may not import that package (ARCHITECTURE.md).` });
  return { files: [`${folder}/**/*.ts`], rules: { "no-restricted-imports": ["error", { patterns }] } };
}

export default tseslint.config(
  { ignores: ["dist/", "out/", "node_modules/", ".cache/", "**/*.mjs"] },
  ...tseslint.configs.recommendedTypeChecked,
  { languageOptions: { parserOptions: { project: "./tsconfig.json" } } },
  {
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/require-await": "off",
      "max-lines": ["error", { max: 350, skipBlankLines: true, skipComments: true }],
      eqeqeq: "error",
    },
  },
  ...Object.entries(rooms).map(([folder, rule]) => roomRule(folder, rule)),
  { files: ["src/inference/**/*.ts"], ignores: ["src/inference/session.ts"], rules: { "no-restricted-syntax": ["error", { selector: "ImportDeclaration[source.value='onnxruntime-node']", message: "onnxruntime-node is imported in inference/session.ts only." }] } },
  { files: ["test/**/*.ts"], rules: { "@typescript-eslint/no-floating-promises": "error" } },
);
